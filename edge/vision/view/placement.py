"""One image through a view: what the graph is shown of it, and its results in the image's pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from edge.image_types import Array, Image, Mask
from edge.inspection import Region
from edge.vision.view.areas import Box, Polygon
from edge.vision.view.tiles import Tiles, cut

COVER = 128
"""What the graph sees where something is ignored: the same for references and parts."""


class _Ignoring(Protocol):
    """What a placement asks of its view."""

    @property
    def ignore(self) -> tuple[Polygon, ...]: ...

    @property
    def tiles(self) -> Tiles: ...

    @property
    def is_whole(self) -> bool: ...

    def ignored(self, size: tuple[int, int]) -> Mask: ...


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a view looks in one image.

    Attributes:
        box: what is looked at, in pixels of the image; it may reach out of it.
        shape: (H, W) of the image.
        view: what of the box is ignored.
    """

    box: Box
    shape: tuple[int, int]
    view: _Ignoring

    def pieces(self, image: Image) -> tuple[Image, ...]:
        """What the graph is shown, one after the other: the box, in the view's tiles."""
        return cut(self.seen(image), self.view.tiles)

    def seen(self, image: Image) -> Image:
        """What is looked at: the box, with what is ignored covered."""
        if self.view.is_whole:
            return image
        x, y, width, height = self.box
        top, left = max(y, 0), max(x, 0)
        cut = image[top : max(y + height, 0), left : max(x + width, 0)]
        missing = (top - y, y + height - top - cut.shape[0], left - x, x + width - left - cut.shape[1])
        if any(missing):
            cut = np.asarray(cv2.copyMakeBorder(cut, *missing, cv2.BORDER_REPLICATE), np.uint8)
        return self.covered(cut)

    def covered(self, cut: Image) -> Image:
        """The box of the image, in whatever size, with what is ignored covered."""
        if not self.view.ignore:
            return np.ascontiguousarray(cut)
        cut = cut.copy()
        cut[self.view.ignored((cut.shape[0], cut.shape[1])) > 0] = COVER
        return cut

    def regions(self, found: Sequence[Region]) -> tuple[Region, ...]:
        """Regions of the box in the pixels of the image; what lies outside of it is cut off."""
        x, y, _, _ = self.box
        height, width = self.shape
        moved = []
        for region in found:
            left, top = min(max(region.x + x, 0), width - 1), min(max(region.y + y, 0), height - 1)
            right = min(max(region.x + x + region.width, left + 1), width)
            bottom = min(max(region.y + y + region.height, top + 1), height)
            moved.append(replace(region, x=left, y=top, width=right - left, height=bottom - top))
        return tuple(moved)

    def framed(self, anomaly_map: Array) -> Array:
        """The box's map as one of the whole image, in the same size: 0 where nothing is looked at."""
        if self.view.is_whole:
            return anomaly_map
        x, y, width, height = self.box
        rows, columns = anomaly_map.shape
        down, across = rows / self.shape[0], columns / self.shape[1]
        # From the image's cells to the box's: the middle of a cell to the middle of a cell.
        scale_x, scale_y = columns / (width * across), rows / (height * down)
        matrix = np.array(
            [
                [scale_x, 0, (0.5 - x * across) * scale_x - 0.5],
                [0, scale_y, (0.5 - y * down) * scale_y - 0.5],
            ]
        )
        framed = cv2.warpAffine(
            anomaly_map,
            matrix,
            (columns, rows),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=0,
        )
        return np.asarray(framed, np.float32)
