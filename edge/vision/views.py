"""How one good part may look the next time: moved, turned and lit a little differently.

One reference says nothing of how parts differ from each other, but its own views say how much the
camera's and the fixture's everyday variation moves the map.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.image_types import Image

# What a fixture and a lamp do between two parts, not what a fault does.
_SHIFT = 0.03
_ANGLE_DEG = 4.0
_ZOOM = 0.02
_GAIN = (0.88, 1.12)
_GAMMA = (0.88, 1.14)

TURNS_DEG: dict[str, tuple[float, ...]] = {
    "none": (0.0,),
    "90": (0.0, 90.0, 180.0, 270.0),
    "fine": tuple(range(0, 360, 30)),
}
"""Angles at which a reference is kept, by the product's ``rotations``."""


def turned(image: Image, angle_deg: float) -> Image:
    """The image turned about its centre; what comes in from outside is mirrored."""
    if angle_deg == 0:
        return image
    height, width = image.shape[:2]
    if angle_deg % 90 == 0 and height == width:
        return np.ascontiguousarray(np.rot90(image, round(angle_deg / 90)))
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle_deg, 1.0)
    return _warped(image, matrix)


def everyday_view(image: Image, rng: np.random.Generator) -> Image:
    """A view that a good part could have given: moved, turned, zoomed and lit a little."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(
        ((width - 1) / 2, (height - 1) / 2),
        rng.uniform(-_ANGLE_DEG, _ANGLE_DEG),
        1 + rng.uniform(-_ZOOM, _ZOOM),
    )
    matrix[:, 2] += rng.uniform(-_SHIFT, _SHIFT, 2) * (width, height)
    levels = 255 * np.linspace(0, 1, 256) ** rng.uniform(*_GAMMA) * rng.uniform(*_GAIN)
    curve = np.clip(levels, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(_warped(image, matrix), curve), np.uint8)


def _warped(image: Image, matrix: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Image:
    height, width = image.shape[:2]
    warped = cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(warped, np.uint8)
