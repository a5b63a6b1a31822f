"""A box in several pieces: tiles that overlap a little, and their maps put together again.

The graph sees every image in one size, so that what is small in a large image is lost. In tiles it is
seen larger; each costs as much as the whole image would.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edge.choices import MOST_LOOKS
from edge.errors import ProductError
from edge.image_types import Array, Image

Tiles = tuple[int, int]
"""Rows and columns."""

ONE_PIECE: Tiles = (1, 1)
SEEN_PX = 11.0
"""Pixels of the graph's input that a defect must measure to be seen: four fifths of a patch.

Chosen on dots of 12 px and 60 grey levels on rendered leather of 2448 x 2048 px: of ten at random places,
eight are found where they are. The other two lie in creases, which are as dark.
"""

# Nothing is enlarged more than this to be seen: it would only be blurred.
_MOST_ENLARGED = 1.5
# Of a tile's side, what its neighbour sees too: a defect on a seam is whole in one of them.
_OVERLAP = 0.125


def tiles_for(box: tuple[int, int], size: tuple[int, int], smallest_px: float) -> Tiles:
    """The fewest tiles in which a defect of that size is seen.

    Args:
        box: (H, W) in pixels of what is looked at.
        size: (H, W) of the graph's input.
        smallest_px: side of the smallest defect that must be seen, in the same pixels as ``box``.

    Raises:
        ProductError: it would take too many.
    """
    rows, columns = (
        _count(length, side * smallest_px / SEEN_PX) for length, side in zip(box, size, strict=True)
    )
    if rows * columns > MOST_LOOKS:
        raise ProductError(
            f"Seeing {smallest_px:g} px in {box[1]}x{box[0]} px takes {rows * columns} tiles; at most "
            f"{MOST_LOOKS} are looked at.",
            "Give a larger --detail, or a smaller region with --roi.",
        )
    return rows, columns


def closest_px(box: tuple[int, int], size: tuple[int, int], most_tiles: int) -> float:
    """The smallest defect that is seen in so many tiles, but none smaller than pixels can show.

    Args:
        box, size: as in :func:`tiles_for`.
    """
    counts = [
        (rows, columns) for rows in range(1, most_tiles + 1) for columns in range(1, most_tiles // rows + 1)
    ]
    return max(min(smallest_seen_px(box, size, tiles) for tiles in counts), SEEN_PX / _MOST_ENLARGED)


def smallest_seen_px(box: tuple[int, int], size: tuple[int, int], tiles: Tiles) -> float:
    """The side of the smallest defect that is seen, in pixels of the box: what :func:`tiles_for` asks for."""
    return max(
        SEEN_PX * _tile(length, count) / side for length, side, count in zip(box, size, tiles, strict=True)
    )


def cut(image: Image, tiles: Tiles) -> tuple[Image, ...]:
    """The tiles of an image, row by row; they share its pixels."""
    if tiles == ONE_PIECE:
        return (image,)
    shape = image.shape[0], image.shape[1]
    return tuple(image[top:bottom, left:right] for left, top, right, bottom in edges(shape, tiles))


def edges(shape: tuple[int, int], tiles: Tiles) -> list[tuple[int, int, int, int]]:
    """Left, top, right and bottom of the tiles of an image of ``shape`` (H, W), row by row."""
    return [
        (left, top, right, bottom)
        for top, bottom in _spans(shape[0], tiles[0])
        for left, right in _spans(shape[1], tiles[1])
    ]


def mosaic(maps: Sequence[Array], tiles: Tiles) -> Array:
    """The tiles' maps as one, as large as they are side by side; where they overlap, the higher value.

    Args:
        maps: float32 (H, W), row by row.
    """
    if tiles == ONE_PIECE:
        return maps[0]
    height, width = mosaic_size((maps[0].shape[0], maps[0].shape[1]), tiles)
    whole = np.full((height, width), -np.inf, np.float32)
    for each, (left, top, right, bottom) in zip(maps, edges((height, width), tiles), strict=True):
        fitted = cv2.resize(each, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
        place = whole[top:bottom, left:right]
        np.maximum(place, fitted, out=place)
    return whole


def mosaic_size(size: tuple[int, int], tiles: Tiles) -> tuple[int, int]:
    """(H, W) of so many tiles of ``size`` (H, W), with what they overlap."""
    height, width = (
        round(side * (count - (count - 1) * _OVERLAP)) for side, count in zip(size, tiles, strict=True)
    )
    return height, width


def reduced(whole: Array, size: tuple[int, int]) -> Array:
    """A map in a smaller size (H, W): no peak gets lower by it."""
    if whole.shape == size:
        return whole
    for axis, side in enumerate(size):
        starts = np.arange(side) * whole.shape[axis] // side
        whole = np.maximum.reduceat(whole, starts, axis=axis)
    return whole


def _count(length: int, longest: float) -> int:
    """The fewest tiles along a side so that none is longer than that."""
    count = 1
    while _tile(length, count) > longest * (1 + 1e-9) and count <= MOST_LOOKS:
        count += 1
    return count


def _tile(length: float, count: int) -> float:
    """How long each of so many tiles is."""
    return length / (count - (count - 1) * _OVERLAP)


def _spans(length: int, count: int) -> list[tuple[int, int]]:
    """Where each of so many tiles begins and ends: the first at 0, the last at the end."""
    tile = round(_tile(length, count))
    starts = np.linspace(0, length - tile, count).round().astype(int)
    return [(int(start), int(start) + tile) for start in starts]
