"""What of a product's images is looked at: a region or the part itself, and places that never count."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from edge.choices import MOST_LOOKS, Locate
from edge.errors import FrameError, NoSinglePartError, ProductError
from edge.image_size import MIN_SIDE_PX
from edge.image_types import Image, Mask, check_image
from edge.vision.view.areas import MOST_CORNERS, Box, Polygon, drawn
from edge.vision.view.locating import Located, locate
from edge.vision.view.placement import COVER, Placement
from edge.vision.view.tiles import (
    ONE_PIECE,
    SEEN_PX,
    Tiles,
    closest_px,
    edges,
    mosaic_size,
    smallest_seen_px,
    tiles_for,
)

# Of a side of the part, what is seen around it.
_MARGIN = 0.08
# A part in view covers at least and at most so many times what the references' parts did.
_LEAST, _MOST = 0.3, 3.0
# A part that is less long for its width has no axis to be turned by.
_LEAST_ELONGATION = 1.5
# Images are told to be seen too coarsely where they are shrunk by more than this.
_WORTH_TELLING = 2.0


@dataclass(frozen=True, slots=True)
class View:
    """What of an image is looked at. A camera's image of another size is taken as the same field, scaled.

    Attributes:
        shape: (H, W) of the references, in whose pixels the rest is given; (0, 0) for any.
        roi: the region that is cut out; None: the whole image.
        ignore: places whose pixels are never seen; they travel with a part that is located.
        locate: ``crop``: the part is found in the region, and cut out; ``align``: it is turned too, so that
            its long axis lies as the image's rows do.
        anchor: where the first reference's part lay; None where none is located.
        anchor_deg: how far it was turned there.
        shares: the least and the largest share of the region that a reference's part covered.
        detail_px: the smallest defect that must be seen; 0: what one piece shows is enough.
        most_looks: it is looked at in no more tiles than that, as closely as they allow, but no more closely
            than ``detail_px`` asks for; 0: in as many as that takes.
        tiles: in how many pieces it is looked at, so that such a defect is seen.
    """

    shape: tuple[int, int] = (0, 0)
    roi: Box | None = None
    ignore: tuple[Polygon, ...] = ()
    locate: Locate = "none"
    anchor: Box | None = None
    anchor_deg: float = 0.0
    shares: tuple[float, float] = (0.0, 1.0)
    detail_px: float = 0.0
    most_looks: int = 0
    tiles: Tiles = ONE_PIECE

    @property
    def _is_close(self) -> bool:
        """Whether it may be looked at in tiles."""
        return bool(self.detail_px or self.most_looks)

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole image, all of it, in one piece or in tiles."""
        return self.roi is None and not self.ignore and self.locate == "none"

    def learned_from(self, images: Sequence[Image], size: tuple[int, int]) -> View:
        """The view with what the references' parts say of it.

        Args:
            images: the references, at least one.
            size: (H, W) of the graph's input.

        Raises:
            ProductError: the parts cannot be told from their ground, nothing is left to look at, or it would
                take too many tiles to see what must be seen.
        """
        if self.locate == "none":
            check_view(self)
            return self._in_tiles(_shape(images[0]), size)
        found = [self.part_in(image, number) for number, image in enumerate(images, 1)]
        shares = [part.share for part in found]
        first = _shape(images[0])
        learned = replace(self, shape=first, shares=(min(shares), max(shares)))
        placed = learned._around(found[0], first, size)
        return replace(learned, anchor=placed.box, anchor_deg=placed.angle_deg)._in_tiles(first, size)

    def part_in(self, image: Image, number: int) -> Located:
        """The part in a reference, in pixels of the region.

        Args:
            image: uint8 (H, W) or (H, W, 3).
            number: the reference's, for the error.

        Raises:
            ProductError: it is not clear what the part is, or how it lies.
        """
        part = self._located(image)
        if part is None or not part.is_clear or part.others:
            several = part is not None and part.others > 0
            why = "more than one part is in view" if several else "no part stands out of a plain ground"
            raise ProductError(
                f"Reference {number}: {why}.", "Leave --locate out, or photograph one part on a plain ground."
            )
        if self.locate == "align" and part.turned.elongation < _LEAST_ELONGATION:
            raise ProductError(
                f"Reference {number}: the part is hardly longer than wide, so nothing tells how it lies.",
                "Use --locate crop, and --rotations if it comes in any orientation.",
            )
        return part

    def placed(self, image: Image, size: tuple[int, int]) -> Placement:
        """Where in an image this view looks.

        Args:
            image: uint8 (H, W) or (H, W, 3).
            size: (H, W) of the graph's input, whose proportions a located part's box has.

        Raises:
            FrameError: the image cannot be inspected, or the region does not fit it.
            NoSinglePartError: there is no part in view, or more than one.
        """
        if self.is_whole:
            return Placement((0, 0, image.shape[1], image.shape[0]), _shape(image), self)
        check_image(image)
        shape = _shape(image)
        if self.locate == "none":
            return Placement(self.region(shape), shape, self)
        part = self._located(image)
        least, most = self.shares[0] * _LEAST, min(self.shares[1] * _MOST, 1.0)
        if part is None or not least <= part.share <= most or not part.is_clear:
            raise NoSinglePartError(
                "There is no part in view.", "Check the trigger, the light and the camera's field."
            )
        if part.others:
            raise NoSinglePartError("There is more than one part in view.", "Show the parts one by one.")
        return self._around(part, shape, size)

    def anchored(self, shape: tuple[int, int], size: tuple[int, int]) -> Placement:
        """Where it looks while nothing is in view: where the first reference lay; ``size`` as above."""
        if self.anchor is None:
            return Placement(self.region(shape), shape, self)
        return Placement(self.anchor, shape, self, self.anchor_deg, mosaic_size(size, self.tiles))

    def covered(self, cut: Image) -> Image:
        """What is looked at, in whatever size, with what is ignored covered."""
        if not self.ignore:
            return np.ascontiguousarray(cut)
        cut = cut.copy()
        cut[self.ignored((cut.shape[0], cut.shape[1])) > 0] = COVER
        return cut

    def region(self, shape: tuple[int, int]) -> Box:
        """The region in an image of that shape, within the image.

        Raises:
            FrameError: too little of it lies in the image to be inspected.
        """
        if self.roi is None:
            return 0, 0, shape[1], shape[0]
        down, right = shape[0] / (self.shape[0] or shape[0]), shape[1] / (self.shape[1] or shape[1])
        x, y, width, height = self.roi
        left, top = round(x * right), round(y * down)
        end_x, end_y = min(round((x + width) * right), shape[1]), min(round((y + height) * down), shape[0])
        if min(end_x - left, end_y - top) < MIN_SIDE_PX:
            raise FrameError(
                f"The product's region does not fit an image of {shape[1]}x{shape[0]} px.",
                "Give images of the references' size, or enroll the product again with --roi.",
            )
        return left, top, end_x - left, end_y - top

    def smallest_seen_px(self, shape: tuple[int, int], size: tuple[int, int]) -> float:
        """About how large a defect must be to be seen, in pixels of references of ``shape`` (H, W).

        Args:
            size: (H, W) of the graph's input.
        """
        _, _, width, height = self.anchor or self.region(shape)
        return smallest_seen_px((height, width), size, self.tiles)

    def detail_share(self, shape: tuple[int, int]) -> float:
        """The area of the smallest defect that must be seen, as a fraction of a piece's; 0 where any size is.

        Args:
            shape: (H, W) of the references.
        """
        _, _, width, height = self.anchor or self.region(shape)
        left, top, right, bottom = edges((height, width), self.tiles)[0]
        return math.pi / 4 * self.detail_px**2 / ((right - left) * (bottom - top))

    def hides(self, shape: tuple[int, int], size: tuple[int, int]) -> str | None:
        """What a person must be told who shows large images in few looks; None where nothing is lost.

        Args:
            shape, size: as in :meth:`smallest_seen_px`.
        """
        smallest = self.smallest_seen_px(shape, size)
        if smallest < _WORTH_TELLING * SEEN_PX:
            return None
        looks = self.tiles[0] * self.tiles[1]
        return (
            f"Images of {shape[1]}x{shape[0]} px are seen in {looks} look{'s' if looks > 1 else ''} of "
            f"{size[1]}x{size[0]}: defects smaller than about {smallest:.0f} px can be missed."
        )

    def ignored(self, size: tuple[int, int]) -> Mask:
        """uint8 ``size``: 1 where what is looked at, drawn in that size, is ignored."""
        box = self.anchor or self.region(self.shape)
        return drawn(self.ignore, box, self.anchor_deg, size)

    def __str__(self) -> str:
        where = "the whole image" if self.roi is None else f"the box {','.join(map(str, self.roi))}"
        if self.locate != "none":
            where = f"the part, found{' and turned' * (self.locate == 'align')} in {where}"
        if self.tiles != ONE_PIECE:
            where += f", in {self.tiles[0]} x {self.tiles[1]} tiles"
        return f"{where}, {len(self.ignore)} areas ignored" if self.ignore else where

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "shape": self.shape,
            "roi": self.roi,
            "ignore": self.ignore,
            "locate": self.locate,
            "anchor": self.anchor,
            "anchor_deg": self.anchor_deg,
            "shares": self.shares,
            "detail_px": self.detail_px,
            "most_looks": self.most_looks,
            "tiles": self.tiles,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any] | None) -> View:
        """What :meth:`to_json` wrote; None for a product from before there were views.

        Raises:
            ValueError, TypeError, KeyError: it is no view.
        """
        if content is None:
            return WHOLE_FRAME
        height, width = (int(side) for side in content["shape"])
        ignore = tuple(tuple((int(x), int(y)) for x, y in polygon) for polygon in content["ignore"])
        if sum(map(len, ignore)) > MOST_CORNERS:
            raise ValueError("too many corners")
        if content["locate"] not in get_args(Locate):
            raise ValueError(f"no way to locate: {content['locate']}")
        least, most = (float(share) for share in content["shares"])
        anchor, roi = _box(content["anchor"]), _box(content["roi"])
        rows, columns = (int(count) for count in content.get("tiles", ONE_PIECE))
        if min(rows, columns) < 1 or rows * columns > MOST_LOOKS:
            raise ValueError(f"{rows} x {columns} tiles")
        return cls(
            shape=(height, width),
            roi=roi,
            ignore=ignore,
            locate=content["locate"],
            anchor=anchor,
            anchor_deg=float(content.get("anchor_deg", 0)),
            shares=(least, most),
            detail_px=float(content.get("detail_px", 0)),
            most_looks=int(content.get("most_looks", 0)),
            tiles=(rows, columns),
        )

    def _in_tiles(self, shape: tuple[int, int], size: tuple[int, int]) -> View:
        """For references of ``shape`` (H, W) and a graph with an input of ``size`` (H, W)."""
        if not self._is_close:
            return self if self.tiles == ONE_PIECE else replace(self, tiles=ONE_PIECE)
        _, _, width, height = self.anchor or self.region(shape)
        box, detail_px = (height, width), self.detail_px
        if self.most_looks:
            detail_px = max(detail_px, closest_px(box, size, self.most_looks))
        return replace(self, shape=shape, tiles=tiles_for(box, size, detail_px))

    def _located(self, image: Image) -> Located | None:
        """The part, in pixels of the region."""
        x, y, width, height = self.region(_shape(image))
        return locate(image[y : y + height, x : x + width])

    def _around(self, part: Located, shape: tuple[int, int], size: tuple[int, int]) -> Placement:
        """A box around the part; it may reach out of the image.

        It has the proportions of ``size``, but for a part that is turned and seen in tiles: they lie close
        around it.
        """
        left, top, _, _ = self.region(shape)
        if self.locate == "align":
            (middle_x, middle_y), angle_deg = part.turned.middle, part.turned.angle_deg
            wide, high = part.turned.width, part.turned.height
        else:
            x, y, wide, high = part.box
            middle_x, middle_y, angle_deg = x + wide / 2, y + high / 2, 0.0
        wide, high = wide * (1 + 2 * _MARGIN), high * (1 + 2 * _MARGIN)
        if self.locate == "crop" or not self._is_close:
            wide = max(wide, high * size[1] / size[0])
            high = wide * size[0] / size[1]
        wide, high = max(wide, MIN_SIDE_PX), max(high, MIN_SIDE_PX)
        box = (
            round(left + middle_x - wide / 2),
            round(top + middle_y - high / 2),
            max(1, round(wide)),
            max(1, round(high)),
        )
        return Placement(box, shape, self, angle_deg, mosaic_size(size, self.tiles))


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
        _, _, wide, high = view.anchor or view.region(view.shape)
        if view.ignored((high, wide)).all():
            raise ProductError("Everything is ignored.", "Leave something to look at.")


def _box(numbers: Sequence[Any] | None) -> Box | None:
    if numbers is None:
        return None
    x, y, width, height = (int(number) for number in numbers)
    return x, y, width, height


def _shape(image: Image) -> tuple[int, int]:
    return image.shape[0], image.shape[1]
