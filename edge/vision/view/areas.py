"""Areas of an image as a person writes or paints them."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.errors import ProductError

if TYPE_CHECKING:
    from edge.image_types import Image, Mask

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels, the origin at the image's top left."""

Polygon = tuple[tuple[int, int], ...]
"""Corners (x, y) in pixels, three or more."""

MOST_CORNERS = 10_000
"""Of all polygons of a view together: a painted mask has hundreds."""


def box_of(text: str) -> Box:
    """A box as a person writes it: ``10,20,300,200``.

    Raises:
        ProductError: it is none.
    """
    numbers = _corners_of(text)
    if len(numbers) != 1 or len(numbers[0]) != 4 or min(numbers[0][2:]) <= 0:
        raise ProductError(f"{text!r} is no box.", "Write X,Y,WIDTH,HEIGHT in pixels of the references.")
    x, y, width, height = numbers[0]
    return x, y, width, height


def polygon_of(text: str) -> Polygon:
    """An area as a person writes it: a box as above, or the corners of a polygon, ``10,20 300,20 150,200``.

    Raises:
        ProductError: it is neither.
    """
    corners = _corners_of(text)
    if len(corners) == 1:
        return polygon_of_box(box_of(text))
    if len(corners) < 3 or any(len(corner) != 2 for corner in corners):
        raise ProductError(
            f"{text!r} is no area.",
            "Write a box as X,Y,WIDTH,HEIGHT, or a polygon as X,Y X,Y X,Y … in pixels of the references.",
        )
    return tuple((x, y) for x, y in corners)


def _corners_of(text: str) -> list[list[int]]:
    """The groups of numbers in a text; none where something else is in it."""
    if re.fullmatch(r"\s*-?\d+(,-?\d+)+(\s+-?\d+(,-?\d+)+)*\s*", text) is None:
        return []
    return [[int(number) for number in corner.split(",")] for corner in text.split()]


def polygon_of_box(box: Box) -> Polygon:
    """A box by its corners; a polygon's edge belongs to it."""
    x, y, width, height = box
    right, bottom = x + width - 1, y + height - 1
    return (x, y), (right, y), (right, bottom), (x, bottom)


def polygons_of_mask(mask: Image, path: Path) -> tuple[Polygon, ...]:
    """The black areas of a painted mask; white is looked at.

    Args:
        mask: uint8 (H, W) or (H, W, 3).
        path: where it is from, for the error.

    Raises:
        ProductError: nothing is black, everything is, or its outlines are too many.
    """
    grey = mask if mask.ndim == 2 else cv2.cvtColor(mask, cv2.COLOR_BGR2GRAY)
    ignored = (grey < 128).astype(np.uint8)
    if not ignored.any() or ignored.all():
        raise ProductError(
            f"{path} ignores {'everything' if ignored.all() else 'nothing'}.",
            "Paint black what is to be ignored, and leave the rest white.",
        )
    if (grey[ignored == 0] < 200).any() or (grey[ignored == 1] > 55).any():
        raise ProductError(f"{path} is not black and white.", "Paint with a hard brush, and save it as PNG.")
    # Holes in what is ignored are looked at: each row of such a piece is a box of its own.
    outlines, tree = cv2.findContours(ignored, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    polygons: list[Polygon] = []
    for number, outline in enumerate(outlines):
        if tree[0][number][3] >= 0:
            continue  # a hole
        if tree[0][number][2] < 0:
            polygons.append(_corners(outline))
            continue
        piece = np.zeros_like(ignored)
        cv2.drawContours(piece, outlines, number, 1, cv2.FILLED)
        polygons += [polygon_of_box(box) for box in _runs(piece & ignored)]
    if sum(map(len, polygons)) > MOST_CORNERS:
        raise ProductError(f"{path} has too many edges.", "Paint larger, plainer areas.")
    return tuple(polygons)


def _corners(outline: np.ndarray) -> Polygon:
    corners = tuple((int(x), int(y)) for x, y in outline[:, 0])
    return corners if len(corners) >= 3 else (corners * 3)[:3]


def _runs(piece: Image) -> list[Box]:
    """Boxes that cover a piece: equal rows below each other are one."""
    boxes: list[Box] = []
    open_at: dict[tuple[int, int], int] = {}
    for y in range(piece.shape[0] + 1):
        row = piece[y] if y < piece.shape[0] else np.zeros(piece.shape[1], np.uint8)
        steps = np.flatnonzero(np.diff(np.concatenate([[0], row, [0]])))
        now = {(int(a), int(b)) for a, b in zip(steps[::2], steps[1::2], strict=True)}
        for run in [run for run in open_at if run not in now]:
            top = open_at.pop(run)
            boxes.append((run[0], top, run[1] - run[0], y - top))
        for run in now:
            open_at.setdefault(run, y)
    return boxes


@lru_cache(maxsize=16)
def drawn(polygons: tuple[Polygon, ...], box: Box, angle_deg: float, size: tuple[int, int]) -> Mask:
    """What of a box lies in polygons: uint8 ``size`` (H, W), 1 where it does, not to be changed.

    Args:
        polygons, box: in pixels of the same image.
        angle_deg: how far the box is turned about its middle, clockwise as it is seen.
    """
    x, y, width, height = box
    whole = np.zeros((height, width), np.uint8)
    upright = cv2.getRotationMatrix2D((x + width / 2, y + height / 2), angle_deg, 1.0)
    for polygon in polygons:
        corners = np.array(polygon)
        if angle_deg:
            corners = cv2.transform(np.array([polygon], np.float64), upright)[0].round()
        cv2.fillPoly(whole, [(corners - (x, y)).astype(np.int32)], 1)
    if size != (height, width):
        # Of a pixel that is ignored in part nothing is seen.
        share = cv2.resize(whole.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
        whole = np.asarray(share > 0, np.uint8)
    whole.setflags(write=False)
    return whole
