"""From a person's images to references: good parts as the graph sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import FrameError, ProductError
from edge.image_types import Image, check_image
from edge.vision.view import COVER, View, cut, mosaic_size


@dataclass(frozen=True, eq=False, slots=True)
class References:
    """Good parts of one product.

    Attributes:
        images: what is looked at, as finely as the graph sees it, uint8 (h, w) or (h, w, 3), at least one.
        shape: (H, W) in pixels of the first, as the camera gave it.
        view: through which they are seen.
    """

    images: tuple[Image, ...]
    shape: tuple[int, int]
    view: View

    def covered(self, image: Image) -> Image:
        """A changed copy of one of the images, with what is ignored covered again."""
        return image if not self.view.ignore else self.view.covered(image)

    def covered_piece(self, piece: int, image: Image) -> Image:
        """A changed copy of a piece, with what is ignored covered again."""
        if not self.view.ignore:
            return image
        if self.pieces_each == 1:
            return self.covered(image)
        image = image.copy()
        image[self.hidden(piece, (image.shape[0], image.shape[1]))] = COVER
        return image

    def hidden(self, piece: int, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """bool ``size``: what of a piece, drawn in that size, is ignored."""
        if self.pieces_each == 1:
            return self.view.ignored(size) > 0
        whole = self.view.ignored((self.images[0].shape[0], self.images[0].shape[1]))
        cut_out = cut(whole, self.view.tiles)[piece]
        return np.asarray(cv2.resize(cut_out, size[::-1], interpolation=cv2.INTER_NEAREST) > 0)

    def pieces(self, image: Image) -> tuple[Image, ...]:
        """One of the images, or a changed copy, in the pieces that the graph is shown."""
        return cut(image, self.view.tiles)

    @property
    def pieces_each(self) -> int:
        """In how many pieces a part is looked at."""
        return self.view.tiles[0] * self.view.tiles[1]

    @property
    def detail_share(self) -> float:
        """The area of the smallest defect that must be seen, as a fraction of a piece's; 0: of any size."""
        return self.view.detail_share(self.shape)

    @property
    def are_several(self) -> bool:
        """Whether they show how good parts differ from each other."""
        return len(self.images) > 1


def seen_references(images: Sequence[Image], view: View, size: tuple[int, int]) -> References:
    """The references, each through the view, and shrunk to what a graph of input ``size`` (H, W) sees.

    Raises:
        ProductError: there is none.
        FrameError: one of them cannot be inspected.
    """
    if not images:
        raise ProductError("There is no reference to learn from.", "Give at least one image of a good part.")
    for number, image in enumerate(images, 1):
        try:
            check_image(image)
        except FrameError as error:
            raise FrameError(f"Reference {number}: {error.message}", error.remedy) from error
    view = view.learned_from(images, size)
    finest = mosaic_size(size, view.tiles)
    seen = [_at_most(view.placed(image, size).seen(image), finest) for image in images]
    return References(tuple(seen), (images[0].shape[0], images[0].shape[1]), view)


def _at_most(image: Image, size: tuple[int, int]) -> Image:
    height, width = min(image.shape[0], size[0]), min(image.shape[1], size[1])
    if (height, width) == image.shape[:2]:
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
