"""The bank: features of good patches, in the orientations that a product needs, thinned to a size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge.image_types import Array

# Distances between random projections keep their order well enough to choose by (Johnson and
# Lindenstrauss; as PatchCore, Roth et al., 2022, section 3.2).
_SKETCH_WIDTH = 64


def coreset(features: Array, rows: int, seed: int) -> npt.NDArray[np.intp]:
    """Indices, ascending, of ``rows`` features that leave none of the others far from the chosen.

    Greedy k-centre on a random projection: each step takes the feature that lies farthest from
    those already taken.

    Args:
        features: float32 (n, width), rows of length 1.
        rows: how many to keep; all where there are no more.
    """
    count, width = features.shape
    if count <= rows:
        return np.arange(count)
    rng = np.random.default_rng(seed)
    projection = rng.standard_normal((width, _SKETCH_WIDTH), np.float32) / np.sqrt(_SKETCH_WIDTH)
    sketch = features @ projection.astype(np.float32)
    squares = np.einsum("ij,ij->i", sketch, sketch)
    chosen = np.empty(rows, np.intp)
    farthest = int(rng.integers(count))
    distance = np.full(count, np.inf, np.float32)
    for step in range(rows):
        chosen[step] = farthest
        np.minimum(distance, squares + squares[farthest] - 2 * (sketch @ sketch[farthest]), out=distance)
        farthest = int(distance.argmax())
    return np.sort(chosen)
