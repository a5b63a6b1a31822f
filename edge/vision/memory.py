"""What a product has learned: everything the inspector needs beside the image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.arrays import load_npz
from edge.errors import ProductError
from edge.image_types import Array
from edge.vision.view import WHOLE_FRAME, View
from edge.whole_file import written_whole

_MOST_BYTES = 512_000_000
"""Far above any bank that is kept, and below what a station can spare."""


@dataclass(frozen=True, eq=False)
class Memory:
    """A product's references as the graph takes them, and its calibration.

    Attributes:
        arrays: the graph's inputs beside the image by name, float32, C-contiguous.
        bundle_id: the bundle that made it; features of another bundle mean nothing here.
        references: number of good parts it was learned from.
        rotations: ``none``, ``90`` or ``fine``: in which orientations parts are expected.
        good_scores: float32 (n,), calibrated scores that the references gave of themselves.
        defect_scores: float32 (n,), calibrated scores of defects simulated on the references.
        boundary: the verdict's boundary on the calibrated scale.
        shape: (H, W) in pixels of the reference images.
        view: what of an image is looked at.
    """

    arrays: Mapping[str, Array]
    bundle_id: str
    references: int
    rotations: str
    good_scores: Array
    defect_scores: Array
    boundary: float
    shape: tuple[int, int]
    view: View = WHOLE_FRAME

    def save(self, path: Path) -> None:
        """Writes one ``.npz`` file, atomically; no pickle inside."""
        plain = {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if f.name not in ("arrays", "good_scores", "defect_scores", "view")
        }
        plain["view"] = self.view.to_json()
        arrays: dict[str, Any] = {f"graph.{name}": array for name, array in self.arrays.items()}
        with written_whole(path, durable=True) as part, part.open("wb") as file:
            np.savez(
                file,
                good_scores=self.good_scores,
                defect_scores=self.defect_scores,
                plain=np.frombuffer(json.dumps(plain).encode(), np.uint8),
                **arrays,
            )

    @classmethod
    def load(cls, path: Path) -> Memory:
        """Reads what :meth:`save` wrote.

        Raises:
            ProductError: the file is missing, damaged or of another version.
        """
        try:
            stored = load_npz(path, _MOST_BYTES)
            plain = json.loads(stored["plain"].tobytes())
            arrays = {
                name.removeprefix("graph."): np.ascontiguousarray(array)
                for name, array in stored.items()
                if name.startswith("graph.")
            }
            view = View.from_json(plain.pop("view", None))
            return cls(
                arrays=arrays,
                view=view,
                good_scores=stored["good_scores"],
                defect_scores=stored["defect_scores"],
                **{**plain, "shape": tuple(plain["shape"])},
            )
        except (OSError, ValueError, KeyError, TypeError, RecursionError, MemoryError) as error:
            raise ProductError(
                f"The product's memory cannot be read from {path}: {error}", "Enroll the product again."
            ) from error


def as_float32(values: npt.ArrayLike) -> Array:
    """A C-contiguous float32 array."""
    return np.ascontiguousarray(values, np.float32)
