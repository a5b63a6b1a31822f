"""A picture for the person who chose a view: the references as the graph sees them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edge.image_types import Image
from edge.vision.view.view import View

MOST_SHOWN = 8
_SIDE = 256
_GAP = 8


def view_sheet(images: Sequence[Image], view: View, size: tuple[int, int]) -> Image:
    """The first references, each through the view and in the proportions of the graph's input.

    Args:
        images: uint8 (H, W) or (H, W, 3), at least one.
        view: through which they are seen.
        size: (H, W) of the graph's input.

    Returns:
        uint8 (h, w, 3) BGR, side by side.
    """
    width = max(1, round(_SIDE * size[1] / size[0]))
    tiles = []
    for image in images[:MOST_SHOWN]:
        seen = view.placed(image, size).seen(image)
        colour = cv2.cvtColor(seen, cv2.COLOR_GRAY2BGR) if seen.ndim == 2 else seen
        shrinks = colour.shape[0] > _SIDE
        tile = cv2.resize(
            colour, (width, _SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
        tiles += [tile, np.full((_SIDE, _GAP, 3), 255, np.uint8)]
    return np.asarray(np.hstack(tiles[:-1]), np.uint8)
