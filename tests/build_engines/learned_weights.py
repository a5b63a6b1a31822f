"""Weights as training writes them, with random numbers in them: names and shapes are the promise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from build_engines.graph.learned import TrainedWeights, read_learned
from build_engines.language.language_half import weights_file
from build_engines.presets import LanguagePreset
from edge.image_types import Array

LANGUAGE_WIDTH, BASE_ROWS, PROMPT_ROWS, TURN_ROWS, SLOTS = 16, 12, 9, 28, 33
TEXT_WIDTH = 24
COMMITTED = LanguagePreset(weights="dinov2-s.safetensors", quantization="Q4_0")


def random_tensors(taps: int, width: int, seed: int = 0) -> dict[str, Array]:
    """A text decoder for ``taps`` of ``width``, a reader and a prompt learner."""
    rng = np.random.default_rng(seed)
    tensors: dict[str, Array] = {}

    def layer(name: str, *shape: int) -> None:
        spread = float(np.prod(shape[1:])) ** -0.5
        tensors[f"{name}.weight"] = rng.normal(0, spread, shape).astype(np.float32)
        tensors[f"{name}.bias"] = rng.normal(0, 0.1, shape[0]).astype(np.float32)

    for tap in range(taps):
        layer(f"decoder.layers.{tap}", TEXT_WIDTH, width)
    normal = rng.normal(0, 1, TEXT_WIDTH)
    # Sentences about a good and a bad part are much alike.
    text = np.stack([normal, normal + rng.normal(0, 0.1, TEXT_WIDTH)])
    tensors["decoder.text"] = (text / np.linalg.norm(text, axis=1, keepdims=True)).astype(np.float32)
    # The reader knows no widths of encoder or language model: its shapes are those that ship.
    shipped = read_learned(weights_file(COMMITTED)).tensors
    for name in sorted(shipped):
        if name.startswith("reader.") and name.endswith(".weight"):
            layer(name.removesuffix(".weight"), *shipped[name].shape)
    tensors["reader.focus"] = np.array(8, np.float32)
    layer("learner.prompt", PROMPT_ROWS * LANGUAGE_WIDTH, SLOTS)
    layer("learner.turn", TURN_ROWS * LANGUAGE_WIDTH, SLOTS)
    layer("learner.image", LANGUAGE_WIDTH, width)
    tensors["learner.base"] = rng.normal(0, 1, (BASE_ROWS, LANGUAGE_WIDTH)).astype(np.float32)
    tensors["learner.scale"] = np.array(0.1, np.float32)
    return tensors


def random_learned(taps: int, width: int, seed: int = 0) -> TrainedWeights:
    """The same as the graph's writer takes it."""
    return TrainedWeights(random_tensors(taps, width, seed), {})


def write_learned(path: Path, tensors: Mapping[str, npt.NDArray[np.floating]], **about: str) -> Path:
    """A weights file."""
    save_file(dict(tensors), path, metadata=about)
    return path
