"""Figures of a picture for whoever sets focus, exposure and light by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.image_types import Image

_DARK, _BRIGHT = 2, 253  # a sensor's noise keeps a clipped pixel from standing at the very end


@dataclass(frozen=True, slots=True)
class PictureFigures:
    """How a picture is lit and focused.

    Attributes:
        width, height: pixels.
        mean: mean grey, 0 to 255.
        dark: share of pixels that are black in every channel, 0 to 1.
        saturated: share of pixels that are clipped in any channel, 0 to 1.
        sharpness: variance of the Laplacian of the middle half; it has no unit and depends on the
            scene: turn the lens until it is highest.
        histogram: int64 (256,), pixels of each grey.
    """

    width: int
    height: int
    mean: float
    dark: float
    saturated: float
    sharpness: float
    histogram: npt.NDArray[np.int64]


def measure_picture(image: Image) -> PictureFigures:
    """The figures of a uint8 picture, (H, W) grey or (H, W, 3) BGR."""
    import cv2

    height, width = image.shape[:2]
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    channels = image.reshape(height, width, -1)
    middle = grey[height // 4 : height - height // 4, width // 4 : width - width // 4]
    return PictureFigures(
        width=width,
        height=height,
        mean=float(grey.mean()),
        dark=float((channels.max(axis=2) <= _DARK).mean()),
        saturated=float((channels.max(axis=2) >= _BRIGHT).mean()),
        sharpness=float(cv2.Laplacian(middle, cv2.CV_32F).var()),
        histogram=np.bincount(grey.reshape(-1), minlength=256),
    )
