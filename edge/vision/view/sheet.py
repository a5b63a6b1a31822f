"""A picture for the person who chose a view: the references as the graph sees them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edge.image_types import Image
from edge.vision.view.tiles import ONE_PIECE
from edge.vision.view.view import View

MOST_SHOWN = 8
_SIDE = 256
_WIDEST = 2 * _SIDE
_WHITE = (255, 255, 255)
_GAP = np.full((_SIDE, 8, 3), _WHITE, np.uint8)


def view_sheet(images: Sequence[Image], view: View, size: tuple[int, int]) -> Image:
    """The first references through the view: as the graph sees them, or whole where it sees them in tiles.

    Args:
        images: uint8 (H, W) or (H, W, 3), at least one.
        view: through which they are seen.
        size: (H, W) of the graph's input.

    Returns:
        uint8 (h, w, 3) BGR, side by side.
    """
    cells = []
    for image in images[:MOST_SHOWN]:
        seen = view.placed(image, size).seen(image)
        colour = cv2.cvtColor(seen, cv2.COLOR_GRAY2BGR) if seen.ndim == 2 else seen
        cells += [_cell(colour, size if view.tiles == ONE_PIECE else colour.shape[:2]), _GAP]
    return np.asarray(np.hstack(cells[:-1]), np.uint8)


def _cell(seen: Image, proportions: tuple[int, ...]) -> Image:
    """An image in some proportions (height, width), as high as all cells: white above and below."""
    scale = min(_SIDE / proportions[0], _WIDEST / proportions[1])
    height, width = (max(1, round(length * scale)) for length in proportions)
    shrinks = seen.shape[0] > height
    cell = cv2.resize(seen, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    above = (_SIDE - height) // 2
    padded = cv2.copyMakeBorder(cell, above, _SIDE - height - above, 0, 0, cv2.BORDER_CONSTANT, value=_WHITE)
    return np.asarray(padded, np.uint8)
