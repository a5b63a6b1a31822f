"""What an image, a mask and an array of features are: one definition for all rooms."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge.errors import FrameError
from edge.image_size import check_size

Image = npt.NDArray[np.uint8]
"""uint8, (H, W) grey or (H, W, 3) BGR as OpenCV reads it."""

Mask = npt.NDArray[np.uint8]
"""uint8, (H, W): not 0 where something is."""

Array = npt.NDArray[np.float32]
"""float32 of any shape, as graphs take and give it."""


def check_layout(image: Image) -> None:
    """Raises FrameError unless ``image`` is uint8 (H, W) or (H, W, 3)."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        found = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise FrameError(f"The image is {found}, expected uint8.", "Convert it to 8 bits per channel.")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise FrameError(
            f"The image has shape {image.shape}, expected (H, W) or (H, W, 3).",
            "Give a grey image or one in BGR without an alpha channel.",
        )


def check_image(image: Image) -> None:
    """The same, and of a size that can be inspected: what a camera or a person gives passes here once."""
    check_layout(image)
    check_size(image.shape[1], image.shape[0], place="The image: ")
