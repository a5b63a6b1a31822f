"""From a person's images to references: good parts as the graph sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.errors import FrameError, ProductError
from edge.image_types import Image, check_image
from edge.vision.view import View


@dataclass(frozen=True, eq=False, slots=True)
class References:
    """Good parts of one product.

    Attributes:
        images: as the graph sees them, uint8 (h, w) or (h, w, 3), at least one.
        shape: (H, W) in pixels of the first, as the camera gave it.
        view: through which they are seen.
    """

    images: tuple[Image, ...]
    shape: tuple[int, int]
    view: View

    def covered(self, image: Image) -> Image:
        """A changed copy of one of the images, with what is ignored covered again."""
        return image if not self.view.ignore else self.view.anchored(self.shape).covered(image)

    @property
    def are_several(self) -> bool:
        """Whether they show how good parts differ from each other."""
        return len(self.images) > 1


def seen_references(images: Sequence[Image], view: View, size: tuple[int, int]) -> References:
    """The references, each seen through the view, and shrunk to ``size`` (H, W): nothing finer is ever seen.

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
    seen = [_at_most(view.placed(image, size).seen(image), size) for image in images]
    return References(tuple(seen), (images[0].shape[0], images[0].shape[1]), view)


def _at_most(image: Image, size: tuple[int, int]) -> Image:
    height, width = min(image.shape[0], size[0]), min(image.shape[1], size[1])
    if (height, width) == image.shape[:2]:
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
