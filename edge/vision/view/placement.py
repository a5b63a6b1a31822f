"""One image through a view: what the graph is shown of it, and its results in the image's pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from edge.image_types import Array, Image, Mask
from edge.inspection import Region
from edge.vision.view.areas import Box, Polygon
from edge.vision.view.tiles import ONE_PIECE, Tiles, cut, edges

COVER = 128
"""What the graph sees where something is ignored: the same for references and parts."""

# An image is averaged before it is turned where it is shrunk by more than this.
_SHRUNK = 0.7


class _Ignoring(Protocol):
    """What a placement asks of its view."""

    @property
    def ignore(self) -> tuple[Polygon, ...]: ...

    @property
    def tiles(self) -> Tiles: ...

    @property
    def is_whole(self) -> bool: ...

    def ignored(self, size: tuple[int, int]) -> Mask: ...

    def covered(self, cut: Image) -> Image: ...


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a view looks in one image.

    Attributes:
        box: what is looked at, in pixels of the image; it may reach out of it.
        shape: (H, W) of the image.
        view: what of the box is ignored, and in which tiles it is looked at.
        angle_deg: how far the box is turned about its middle, clockwise as it is seen.
        finest: (H, W), the most that is seen of a box that is turned.
    """

    box: Box
    shape: tuple[int, int]
    view: _Ignoring
    angle_deg: float = 0.0
    finest: tuple[int, int] | None = None

    def pieces(self, image: Image) -> tuple[Image, ...]:
        """What the graph is shown, one after the other: the box, in the view's tiles."""
        return cut(self.seen(image), self.view.tiles)

    def seen(self, image: Image) -> Image:
        """What is looked at: the box, with what is ignored covered."""
        if self.view.is_whole:
            return image
        if self.angle_deg:
            return self.view.covered(self._upright(image))
        x, y, width, height = self.box
        top, left = max(y, 0), max(x, 0)
        cut = image[top : max(y + height, 0), left : max(x + width, 0)]
        missing = (top - y, y + height - top - cut.shape[0], left - x, x + width - left - cut.shape[1])
        if any(missing):
            cut = np.asarray(cv2.copyMakeBorder(cut, *missing, cv2.BORDER_REPLICATE), np.uint8)
        return self.view.covered(cut)

    def _upright(self, image: Image) -> Image:
        """The box, turned back: in its own pixels, or in as many as are seen of it."""
        _, _, width, height = self.box
        most_high, most_wide = self.finest or (height, width)
        high, wide = min(height, most_high), min(width, most_wide)
        scale = max(high / height, wide / width)
        moved = np.zeros(2)
        if scale < _SHRUNK:
            corners = self._turn @ np.array([[0, width, width, 0], [0, 0, height, height], [1, 1, 1, 1]])
            left, top = np.clip(np.floor(corners.min(axis=1)), 0, (self.shape[1] - 1, self.shape[0] - 1))
            right, bottom = np.clip(np.ceil(corners.max(axis=1)) + 1, (left + 1, top + 1), self.shape[::-1])
            image = image[int(top) : int(bottom), int(left) : int(right)]
            moved = np.array([left, top])
            small = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
            shrunk = np.array([small[0] / image.shape[1], small[1] / image.shape[0]])
            image = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA), np.uint8)
        else:
            shrunk = np.ones(2)
        # From a pixel of what is seen to one of the image: the middle of a pixel to the middle of a pixel.
        matrix = np.array(self._turn)
        matrix[:, 2] += matrix[:, 0] * 0.5 * width / wide + matrix[:, 1] * 0.5 * height / high - moved
        matrix[:, 0] *= width / wide
        matrix[:, 1] *= height / high
        matrix = matrix * shrunk[:, None]
        matrix[:, 2] -= 0.5
        turned = cv2.warpAffine(
            image,
            matrix,
            (wide, high),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(turned, np.uint8)

    @property
    def _turn(self) -> npt.NDArray[np.float64]:
        """(2, 3): from a place in the box, from its own corner, to the place in the image."""
        x, y, width, height = self.box
        angle = math.radians(self.angle_deg)
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        half = np.array([width / 2, height / 2])
        return np.column_stack([turn, np.array([x, y]) + half - turn @ half])

    def outlines(self) -> tuple[Polygon, ...]:
        """The corners of every piece in the image; none where all of it is looked at in one."""
        if self.view.is_whole and self.view.tiles == ONE_PIECE:
            return ()
        _, _, width, height = self.box
        outlines = []
        for left, top, right, bottom in edges((height, width), self.view.tiles):
            corners = self._turn @ np.array([[left, right, right, left], [top, top, bottom, bottom], [1] * 4])
            outlines.append(tuple((int(x), int(y)) for x, y in corners.round().T))
        return tuple(outlines)

    def regions(self, found: Sequence[Region]) -> tuple[Region, ...]:
        """Regions of the box in the pixels of the image; what lies outside of it is cut off."""
        height, width = self.shape
        moved = []
        for region in found:
            across = np.array([region.x, region.x + region.width] * 2)
            down = np.repeat([region.y, region.y + region.height], 2)
            corners = (self._turn @ np.stack([across, down, np.ones(4)])).round().astype(int)
            left, top = (
                min(max(int(at), 0), side - 1)
                for at, side in zip(corners.min(axis=1), (width, height), strict=True)
            )
            right, bottom = corners.max(axis=1)
            right = min(max(int(right), left + 1), width)
            bottom = min(max(int(bottom), top + 1), height)
            moved.append(replace(region, x=left, y=top, width=right - left, height=bottom - top))
        return tuple(moved)

    def framed(self, anomaly_map: Array) -> Array:
        """The box's map as one of the whole image, in the same size: 0 where nothing is looked at."""
        if self.view.is_whole:
            return anomaly_map
        _, _, width, height = self.box
        rows, columns = anomaly_map.shape
        # From the image's cells to the box's: the middle of a cell to the middle of a cell.
        cells = np.diag([self.shape[1] / columns, self.shape[0] / rows, 1.0])
        cells[:2, 2] = cells[0, 0] / 2, cells[1, 1] / 2
        back = np.linalg.inv(np.vstack([self._turn, [0, 0, 1]]))
        matrix = (np.diag([columns / width, rows / height, 1.0]) @ back @ cells)[:2]
        matrix[:, 2] -= 0.5
        framed = cv2.warpAffine(
            anomaly_map,
            matrix,
            (columns, rows),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=0,
        )
        return np.asarray(framed, np.float32)
