"""What training learned for a preset, read from its committed safetensors; torch is not needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.errors import SourceError
from edge.image_types import Array


@dataclass(frozen=True, eq=False, slots=True)
class TrainedWeights:
    """The trained tensors by their names in torch, and what the file says of itself.

    Attributes:
        tensors: ``decoder.…``, ``reader.…`` and ``learner.…``, float32.
        about: the file's metadata: the command, the data and the licences behind it.
    """

    tensors: Mapping[str, Array]
    about: Mapping[str, str]

    def linear(self, name: str) -> tuple[Array, Array]:
        """A linear layer as (in, out) and (out,)."""
        return np.ascontiguousarray(self.tensors[f"{name}.weight"].T), self.tensors[f"{name}.bias"]

    @property
    def has_decoder(self) -> bool:
        return "decoder.text" in self.tensors

    @property
    def has_reader(self) -> bool:
        return "reader.focus" in self.tensors and "learner.base" in self.tensors


def read_learned(path: Path) -> TrainedWeights:
    """Reads a weights file.

    Raises:
        SourceError: it cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
            about = dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise SourceError(f"Cannot read the trained weights {path}: {error}.", "Restore the file.") from error
    return TrainedWeights(tensors, about)
