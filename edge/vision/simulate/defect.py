"""One simulated defect, and the honest measure of what it changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.image_types import Image, Mask

CHANGED_LEVELS = 3
"""A pixel belongs to a defect when any of its channels changed by more than this many grey levels."""

LEAST_MASK_PX = 4
"""A defect on fewer pixels than this counts as nothing changed."""

LEAST_CONTRAST = 4.0
"""A defect of a lower contrast than this, in grey levels, counts as nothing changed."""

LEAST_TRUE_SHARE = 0.5
"""A mask of which less than this share truly changed (the rest are closed pinholes) is not true."""


@dataclass(frozen=True, slots=True)
class SimulatedDefect:
    """A good image with one defect on it, and where and how strong that defect really is.

    Attributes:
        image: uint8, the shape of the good image.
        mask: uint8 (H, W), 255 where a channel changed by more than ``CHANGED_LEVELS``
            (closed over pinholes, without stray pixels), else 0.
        kind: one of ``KINDS``.
        size_fraction: the mask's area over the image's area.
        contrast: mean absolute change inside the mask, in grey levels, averaged over the channels.
        source: which of the given good images it was drawn on.
    """

    image: Image
    mask: Mask
    kind: str
    size_fraction: float
    contrast: float
    source: int = 0


def visibly_changed(before: Image, after: Image) -> Mask:
    """Where a channel of two uint8 (h, w, 3) images differs by more than ``CHANGED_LEVELS``: uint8 (h, w)."""
    import cv2

    blue, green, red = cv2.split(cv2.absdiff(before, after))
    strongest = cv2.max(cv2.max(blue, green), red)
    changed: Mask = cv2.threshold(strongest, CHANGED_LEVELS, 255, cv2.THRESH_BINARY)[1]
    return changed


def changed_mask(before: Image, after: Image) -> Mask:
    """The pixels that were visibly changed, cleaned into a mask: uint8 (h, w), 0 or 255."""
    import cv2

    # Grain hides some changed pixels by chance: close those pinholes, then drop what is left alone.
    closed: Mask = cv2.morphologyEx(
        visibly_changed(before, after), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)
    )
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    keep = areas >= min(3, int(areas[1:].max(initial=0)))
    keep[0] = False
    mask: Mask = np.where(keep, 255, 0).astype(np.uint8)[labels]
    return mask


def mean_change(before: Image, after: Image, mask: Mask) -> float:
    """Mean absolute difference of two uint8 (h, w, 3) images inside a mask, in grey levels."""
    import cv2

    inside = cv2.mean(cv2.absdiff(before, after), mask=mask)
    return float(sum(inside[:3]) / 3)
