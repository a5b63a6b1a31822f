"""Which part of an image is the object, where it lies on a plain background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.image_types import Image, Mask

_WORKING_SIDE_PX = 160
_LEAST_TOLERANCE = 10.0
_GREATEST_BORDER_SPREAD = 8.0
_LEAST_PLAIN_BORDER = 0.7
_LEAST_SHARE, _GREATEST_SHARE = 0.03, 0.97
_LEAST_COMPACTNESS = 0.8


@dataclass(frozen=True, slots=True)
class Foreground:
    """The object in an image.

    Attributes:
        mask: uint8 (H, W), 255 on the object; all 255 where the image has no plain background.
        background: float32 (3,) BGR colour of the plain background, or None.
    """

    mask: Mask
    background: npt.NDArray[np.float32] | None


def find_foreground(image: Image) -> Foreground:
    """Separate an object from a plain background by the colour of the image's border.

    Whatever is joined to the border and has its colour is background, so holes of the background's
    colour inside the object stay object. Anything doubtful (a border of many colours, an object that
    is hardly there or is scattered all over, as on textured sheets) gives the full mask.

    Args:
        image: uint8 (H, W, 3) BGR.
    """
    import cv2

    height, width = image.shape[:2]
    scale = min(1.0, _WORKING_SIDE_PX / max(height, width))
    small_size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.GaussianBlur(cv2.resize(image, small_size, interpolation=cv2.INTER_AREA), (0, 0), 1.0)

    border = _border_pixels(small)
    colour = np.median(border, axis=0)
    distance_on_border = np.abs(border - colour).max(axis=1)
    spread = float(np.median(distance_on_border))
    tolerance = max(_LEAST_TOLERANCE, 5.0 * spread)
    plain_border = float(np.mean(distance_on_border <= tolerance))
    nothing_plain = Foreground(np.full((height, width), 255, np.uint8), None)
    if spread > _GREATEST_BORDER_SPREAD or plain_border < _LEAST_PLAIN_BORDER:
        return nothing_plain

    alike = cv2.inRange(small, colour - tolerance, colour + tolerance)
    count, labels = cv2.connectedComponents(alike, connectivity=4)
    touching = np.zeros(count, bool)
    touching[np.unique(_border_pixels(labels[:, :, None]))] = True
    touching[0] = False  # label 0 is what does not look like background
    thing = (~touching[labels]).astype(np.uint8)
    thing = cv2.morphologyEx(thing, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    if not _is_an_object(thing):
        return nothing_plain
    thing = cv2.erode(thing, np.ones((3, 3), np.uint8))  # the blur widened it by its soft edge
    full = cv2.resize(thing * 255, (width, height), interpolation=cv2.INTER_LINEAR)
    full = cv2.threshold(full, 127, 255, cv2.THRESH_BINARY)[1]
    return Foreground(full, colour.astype(np.float32))


def _border_pixels(image: npt.NDArray[np.generic]) -> npt.NDArray[np.float32 | np.int32]:
    """The pixels of a two-pixel frame along the border: (N, channels)."""
    sides = (image[:2], image[-2:], image[2:-2, :2], image[2:-2, -2:])
    pixels = np.concatenate([side.reshape(-1, image.shape[2]) for side in sides])
    return pixels.astype(np.int32 if image.dtype == np.int32 else np.float32)


def _is_an_object(thing: Mask) -> bool:
    """True where one compact piece holds most of what is not background."""
    import cv2

    share = float(thing.mean())
    if not _LEAST_SHARE <= share <= _GREATEST_SHARE:
        return False
    _, _, stats, _ = cv2.connectedComponentsWithStats(thing, connectivity=8)
    largest = float(stats[1:, cv2.CC_STAT_AREA].max())
    return largest / float(thing.sum()) >= _LEAST_COMPACTNESS
