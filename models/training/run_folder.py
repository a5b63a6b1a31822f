"""A training run's folder: what each stage made, so that a run that was stopped goes on from there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from safetensors.torch import load_file, save_file

from edge.image_bytes import write_png
from edge.whole_file import write_whole, written_whole


class RunFolder:
    """The files of one run; each appears whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def file(self, name: str) -> Path:
        """A file of the run."""
        return self.path / name

    def save_tensors(
        self, name: str, tensors: Mapping[str, torch.Tensor], about: Mapping[str, str] | None = None
    ) -> None:
        """Writes a safetensors file."""
        plain = {key: value.detach().contiguous().clone() for key, value in tensors.items()}
        with written_whole(self.path / name) as part:
            save_file(plain, part, metadata=dict(about or {}))

    def load_tensors(self, name: str) -> dict[str, torch.Tensor] | None:
        """What :meth:`save_tensors` wrote; None where there is nothing yet."""
        file = self.path / name
        return load_file(file) if file.is_file() else None

    def save_curve(self, name: str, values: Sequence[float]) -> None:
        """Adds a stage's losses to ``curves.json`` and draws ``NAME.png``."""
        file = self.path / "curves.json"
        curves = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        curves[name] = [round(value, 5) for value in values]
        self._write_json("curves.json", curves)
        write_png(self.path / f"{name}.png", curve_image(name, values))

    def note(self, **figures: Any) -> None:
        """Adds figures to ``figures.json``."""
        self._write_json("figures.json", self.figures() | figures)

    def figures(self) -> dict[str, Any]:
        """All figures noted so far."""
        file = self.path / "figures.json"
        return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}

    def _write_json(self, name: str, content: object) -> None:
        write_whole(self.path / name, json.dumps(content, indent=1) + "\n")


def curve_image(
    title: str, values: Sequence[float], size: tuple[int, int] = (360, 640)
) -> np.ndarray[Any, Any]:
    """A plain line of a loss over its steps, smoothed: uint8 (H, W, 3)."""
    height, width = size
    image = np.full((height, width, 3), 255, np.uint8)
    if not values:
        return image
    window = max(1, len(values) // 50)
    smooth = np.convolve(values, np.ones(window) / window, mode="valid")
    top = float(smooth.max()) or 1.0
    x = np.linspace(40, width - 20, len(smooth))
    y = height - 30 - smooth / top * (height - 70)
    points = np.stack([x, y], axis=1).round().astype(np.int32)
    cv2.polylines(image, [points], False, (180, 90, 20), 2, cv2.LINE_AA)
    words = f"{title}: {values[0]:.3f} to {smooth[-1]:.3f} in {len(values)} steps"
    cv2.putText(image, words, (40, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA)
    return image
