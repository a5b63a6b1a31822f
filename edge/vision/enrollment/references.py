"""From a person's images to references: good parts as the graph sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.errors import FrameError, ProductError
from edge.image_types import Image, check_image

See = Callable[[Image], Image]
"""From a camera's image to what of it is looked at."""


@dataclass(frozen=True, eq=False, slots=True)
class References:
    """Good parts of one product.

    Attributes:
        images: as the graph sees them, uint8 (h, w) or (h, w, 3), at least one.
        shape: (H, W) in pixels of the first, as the camera gave it.
    """

    images: tuple[Image, ...]
    shape: tuple[int, int]

    @property
    def are_several(self) -> bool:
        """Whether they show how good parts differ from each other."""
        return len(self.images) > 1


def seen_references(images: Sequence[Image], see: See) -> References:
    """The references, each looked at in the same way.

    Raises:
        ProductError: there is none.
        FrameError: one of them cannot be inspected.
    """
    if not images:
        raise ProductError("There is no reference to learn from.", "Give at least one image of a good part.")
    seen = []
    for number, image in enumerate(images, 1):
        try:
            check_image(image)
            seen.append(see(image))
        except FrameError as error:
            raise FrameError(f"Reference {number}: {error.message}", error.remedy) from error
    return References(tuple(seen), (images[0].shape[0], images[0].shape[1]))


def whole_frame(size: tuple[int, int]) -> See:
    """Looks at the whole image, shrunk to ``size`` (H, W) where it is larger: nothing finer is ever seen."""

    def see(image: Image) -> Image:
        height, width = min(image.shape[0], size[0]), min(image.shape[1], size[1])
        if (height, width) == image.shape[:2]:
            return image
        return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

    return see
