"""What every engine asks of what it is given: that it was made by the bundle that now computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edge.errors import EngineError
from edge.image_types import Array
from edge.vision.engine import Encoded, MemoryArrays

Shape = Sequence[int | None]
"""None where a length is free."""


def check_memory(memory: MemoryArrays, shapes: Mapping[str, Shape]) -> None:
    """Raises EngineError unless the memory's arrays are those that the graph takes."""
    again = "The product was enrolled with another bundle: enroll it again."
    if set(memory) != set(shapes):
        raise EngineError(f"The memory has {sorted(memory)}, this graph takes {sorted(shapes)}.", again)
    for name, shape in shapes.items():
        array = memory[name]
        fits = len(array.shape) == len(shape) and all(
            want in (None, have) for want, have in zip(shape, array.shape, strict=True)
        )
        if not fits or array.dtype != np.float32 or not array.flags.c_contiguous or array.size == 0:
            raise EngineError(
                f"The memory's {name} is {array.dtype} {array.shape}, expected float32 {tuple(shape)}.", again
            )


def checked_encoded(encoded: Encoded, shapes: Mapping[str, Shape]) -> dict[str, Array]:
    """An encoded image's arrays by name: ``features``, and ``text`` where the graph takes it.

    Raises:
        EngineError: one is missing or has another shape than the head takes.
    """
    arrays: dict[str, Array] = {}
    for name, shape in shapes.items():
        array, expected = getattr(encoded, name), tuple(shape)
        if array is None or array.shape != expected or array.dtype != np.float32:
            found = "missing" if array is None else f"{array.dtype} {array.shape}"
            raise EngineError(
                f"The image's {name} is {found}, expected float32 {expected}.",
                "It was encoded by another bundle: encode it again with this one.",
            )
        arrays[name] = array
    return arrays
