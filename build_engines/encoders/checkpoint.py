"""A checkpoint in the layout of the Hugging Face hub: safetensors, and the configuration beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from pydantic import BaseModel, ValidationError

from edge.errors import SourceError
from edge.image_types import Array

_Config = TypeVar("_Config", bound=BaseModel)
_ANOTHER = "It is another architecture; docs/encoders.md says which are read."


class Checkpoint:
    """The tensors of one safetensors file, read when they are asked for, as float32.

    Args:
        path: the file; float32, float16 or float64.

    Raises:
        SourceError: it is no safetensors file.
    """

    def __init__(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        try:
            self._file = cast("Any", safe_open(path, framework="numpy"))
        except (OSError, SafetensorError) as error:
            raise SourceError(f"{path} is not a safetensors file: {error}.", "Fetch it again.") from error
        self._path = path
        self._names = frozenset(self._file.keys())
        self._unread = set(self._names)

    def tensor(self, name: str, *shape: int) -> Array:
        """One tensor; ``shape`` is what it must be, -1 for any length, and nothing for any shape.

        Raises:
            SourceError: there is none of that name, or it has another shape or type.
        """
        if name not in self._names:
            raise SourceError(f"{self._path.name} has no tensor {name!r}.", _ANOTHER)
        self._unread.discard(name)
        stored = self._file.get_slice(name)
        if stored.get_dtype() not in ("F16", "F32", "F64"):
            raise SourceError(
                f"{self._path.name}: tensor {name!r} is {stored.get_dtype()}.", "Convert the file to float32."
            )
        found = tuple(stored.get_shape())
        fits = len(found) == len(shape) and all(s in (-1, f) for f, s in zip(found, shape, strict=True))
        if shape and not fits:
            raise SourceError(
                f"{self._path.name}: tensor {name!r} has shape {found}, expected {shape}.", _ANOTHER
            )
        return np.asarray(self._file.get_tensor(name), np.float32)

    def linear(self, name: str, inputs: int, outputs: int = -1) -> tuple[Array, Array]:
        """A linear layer's matrix as (in, out), and its bias."""
        matrix = self.tensor(f"{name}.weight", outputs, inputs)
        return np.ascontiguousarray(matrix.T), self.tensor(f"{name}.bias", matrix.shape[0])

    def norm(self, name: str, width: int) -> tuple[Array, Array]:
        """A layer norm's weight and bias."""
        return self.tensor(f"{name}.weight", width), self.tensor(f"{name}.bias", width)

    def count(self, prefix: str) -> int:
        """How many numbers follow ``prefix`` in names: the layers of a tower."""
        behind = {name.removeprefix(prefix).split(".")[0] for name in self._names if name.startswith(prefix)}
        return sum(part.isdecimal() for part in behind)

    def refuse_unknown(self, known: Sequence[str]) -> None:
        """Makes sure that nothing was left unread that may belong to the encoder.

        Args:
            known: what names that are left unread on purpose begin with.

        Raises:
            SourceError: there is another.
        """
        unknown = sorted(name for name in self._unread if not name.startswith(tuple(known)))
        if unknown:
            raise SourceError(f"{self._path.name} has an unknown tensor {unknown[0]!r}.", _ANOTHER)


def joined(parts: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Linear layers that read the same tokens, as one."""
    return np.concatenate([p[0] for p in parts], axis=1), np.concatenate([p[1] for p in parts])


def square(positions: Array) -> Array:
    """Positions (grid · grid, width) as (grid, grid, width).

    Raises:
        SourceError: their number is no square.
    """
    side = math.isqrt(len(positions))
    if side * side != len(positions):
        raise SourceError(f"{len(positions)} patch positions do not form a square grid.", _ANOTHER)
    return positions.reshape(side, side, -1)


def read_config(files: Mapping[str, Path], model: type[_Config]) -> _Config:
    """A checkpoint's ``config.json``, as far as ``model`` names it.

    Raises:
        SourceError: there is none, or a value that this project does not compute.
    """
    path = files.get("config")
    if path is None:
        raise SourceError(
            "The configuration of the weights is missing.",
            "Add config.json to the source as the file `config`.",
        )
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SourceError(f"{path.name}: {where}: {first['msg']}.", _ANOTHER) from error
    except (OSError, ValueError) as error:
        raise SourceError(f"Cannot read {path}: {error}.", "Fetch it again.") from error
