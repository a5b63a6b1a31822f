"""What one reference says of parts that were never seen: how alike are its own places?

A patch of the next good part will not lie nearer to the reference than the reference's own patches
lie to each other, seen past their immediate neighbourhood. For a texture this is what the next part
shows; for an object with one of each place it is an upper estimate.
"""

from __future__ import annotations

import numpy as np

from edge.image_types import Array
from edge.vision.scoring import SCORE_RADIUS, SCORE_SIGMA, smoothed, top_mean

# Receptive fields of neighbouring patches overlap; past two patches a match is another place.
_NEIGHBOURHOOD = 2


def self_similarity_score(features: Array, grid: tuple[int, int]) -> float:
    """The raw score of an image against its own patches, each one's neighbourhood left out.

    Args:
        features: float32 (rows · columns, width), rows of length 1.
        grid: (rows, columns) of the patches.
    """
    rows, columns = np.divmod(np.arange(grid[0] * grid[1]), grid[1])
    near = np.maximum(np.abs(rows[:, None] - rows), np.abs(columns[:, None] - columns)) <= _NEIGHBOURHOOD
    similarity = features @ features.T
    similarity[near] = -1
    distance = (1 - similarity.max(axis=1)).reshape(grid)
    # The graph's score, with the image as its own bank.
    return top_mean(smoothed(distance, SCORE_SIGMA, SCORE_RADIUS))
