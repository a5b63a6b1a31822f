"""A region of the image, and places in it that never count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from edge.errors import FrameError, ProductError
from edge.image_size import MIN_SIDE_PX
from edge.image_types import Array, Image, Mask, check_image
from edge.inspection import Region
from edge.vision.view.areas import MOST_CORNERS, Box, Polygon

_COVER = 128
"""What the graph sees where something is ignored: the same for references and parts."""


@dataclass(frozen=True, slots=True)
class View:
    """What of an image is looked at. A camera's image of another size is taken as the same field, scaled.

    Attributes:
        shape: (H, W) of the references, in whose pixels the rest is given; (0, 0) for any.
        roi: the region that is cut out; None: the whole image.
        ignore: places whose pixels are never seen.
    """

    shape: tuple[int, int] = (0, 0)
    roi: Box | None = None
    ignore: tuple[Polygon, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole image, all of it."""
        return self.roi is None and not self.ignore

    def box(self, shape: tuple[int, int]) -> Box:
        """The region in an image of that shape, within the image.

        Raises:
            FrameError: too little of it lies in the image to be inspected.
        """
        if self.roi is None:
            return 0, 0, shape[1], shape[0]
        down, right = self._scale(shape)
        x, y, width, height = self.roi
        left, top = round(x * right), round(y * down)
        end_x, end_y = min(round((x + width) * right), shape[1]), min(round((y + height) * down), shape[0])
        if min(end_x - left, end_y - top) < MIN_SIDE_PX:
            raise FrameError(
                f"The product's region does not fit an image of {shape[1]}x{shape[0]} px.",
                "Give images of the references' size, or enroll the product again with --roi.",
            )
        return left, top, end_x - left, end_y - top

    def seen(self, image: Image) -> Image:
        """What the graph is shown of an image: the region, with what is ignored covered.

        Raises:
            FrameError: the image cannot be inspected, or the region does not fit it.
        """
        if self.is_whole:
            return image
        check_image(image)
        x, y, width, height = self.box(_shape(image))
        return self.covered(image[y : y + height, x : x + width], _shape(image))

    def covered(self, cut: Image, shape: tuple[int, int]) -> Image:
        """A cut of an image of ``shape``, or a copy of it in another size, with what is ignored covered."""
        if not self.ignore:
            return np.ascontiguousarray(cut)
        cut = cut.copy()
        cut[self.ignored(_shape(cut), shape) > 0] = _COVER
        return cut

    def ignored(self, size: tuple[int, int], shape: tuple[int, int]) -> Mask:
        """uint8 ``size``: 1 where the region of an image of ``shape``, drawn in that size, is ignored."""
        return _drawn(self, size, shape)

    def regions(self, found: Sequence[Region], shape: tuple[int, int]) -> tuple[Region, ...]:
        """Regions of the cut in the pixels of the image."""
        x, y, _, _ = self.box(shape)
        return tuple(replace(region, x=region.x + x, y=region.y + y) for region in found)

    def framed(self, anomaly_map: Array, shape: tuple[int, int]) -> Array:
        """The cut's map as one of the whole image, in the same size: 0 where nothing is looked at."""
        x, y, width, height = self.box(shape)
        rows, columns = anomaly_map.shape
        left, top = round(x * columns / shape[1]), round(y * rows / shape[0])
        right = max(left + 1, round((x + width) * columns / shape[1]))
        bottom = max(top + 1, round((y + height) * rows / shape[0]))
        whole = np.zeros_like(anomaly_map)
        whole[top:bottom, left:right] = cv2.resize(
            anomaly_map, (right - left, bottom - top), interpolation=cv2.INTER_AREA
        )
        return whole

    def __str__(self) -> str:
        where = "the whole image" if self.roi is None else f"the box {','.join(map(str, self.roi))}"
        return f"{where}, {len(self.ignore)} areas ignored" if self.ignore else where

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {"shape": self.shape, "roi": self.roi, "ignore": self.ignore}

    @classmethod
    def from_json(cls, content: Mapping[str, Any] | None) -> View:
        """What :meth:`to_json` wrote; None for a product from before there were views.

        Raises:
            ValueError, TypeError, KeyError: it is no view.
        """
        if content is None:
            return WHOLE_FRAME
        height, width = (int(side) for side in content["shape"])
        roi = content["roi"]
        if roi is not None:
            x, y, wide, high = (int(number) for number in roi)
            roi = (x, y, wide, high)
        ignore = tuple(tuple((int(x), int(y)) for x, y in polygon) for polygon in content["ignore"])
        if sum(map(len, ignore)) > MOST_CORNERS:
            raise ValueError("too many corners")
        return cls((height, width), roi, ignore)

    def _scale(self, shape: tuple[int, int]) -> tuple[float, float]:
        return shape[0] / (self.shape[0] or shape[0]), shape[1] / (self.shape[1] or shape[1])


WHOLE_FRAME = View()


def check_view(view: View) -> None:
    """Refuses a view of which nothing is left to look at.

    Raises:
        ProductError: its region lies outside of the references or is too small, or all of it is ignored.
    """
    height, width = view.shape
    if view.roi is not None:
        x, y, wide, high = view.roi
        if x < 0 or y < 0 or x + wide > width or y + high > height:
            raise ProductError(
                f"The region {x},{y},{wide},{high} is not within the references' {width}x{height} px.",
                "Give --roi X,Y,WIDTH,HEIGHT in their pixels.",
            )
        if min(wide, high) < MIN_SIDE_PX:
            raise ProductError(
                f"The region {x},{y},{wide},{high} is too small to inspect.",
                f"Both sides need at least {MIN_SIDE_PX} px.",
            )
    if view.ignore:
        _, _, wide, high = view.box(view.shape)
        if view.ignored((high, wide), view.shape).all():
            raise ProductError("Everything is ignored.", "Leave something to look at.")


@lru_cache(maxsize=16)
def _drawn(view: View, size: tuple[int, int], shape: tuple[int, int]) -> Mask:
    x, y, width, height = view.box(shape)
    down, right = view._scale(shape)
    drawn = np.zeros((height, width), np.uint8)
    for polygon in view.ignore:
        corners = [(round(a * right) - x, round(b * down) - y) for a, b in polygon]
        cv2.fillPoly(drawn, [np.array(corners, np.int32)], 1)
    if size != (height, width):
        # Of a pixel that is ignored in part nothing is seen.
        drawn = (cv2.resize(drawn.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA) > 0).astype(
            np.uint8
        )
    drawn.setflags(write=False)
    return drawn


def _shape(image: Image) -> tuple[int, int]:
    return image.shape[0], image.shape[1]
