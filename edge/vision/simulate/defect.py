"""One simulated defect, and the honest measure of what it changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.uint8]

CHANGED_LEVELS = 3
"""A pixel belongs to a defect when any of its channels changed by more than this many grey levels."""

LEAST_MASK_PX = 4
"""A defect on fewer pixels than this, or below ``LEAST_CONTRAST``, counts as nothing changed."""

LEAST_CONTRAST = 4.0


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
    """

    image: Image
    mask: Mask
    kind: str
    size_fraction: float
    contrast: float


def changed_mask(before: Image, after: Image) -> Mask:
    """Where two uint8 (h, w, 3) images differ visibly: uint8 (h, w), 0 or 255."""
    import cv2

    strongest = cv2.absdiff(before, after).max(axis=2)
    changed = (strongest > CHANGED_LEVELS).astype(np.uint8)
    # Grain hides some changed pixels by chance: close those pinholes, then drop what is left alone.
    closed: Mask = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    keep = areas >= min(3, int(areas[1:].max(initial=0)))
    keep[0] = False
    mask: Mask = (keep[labels] * np.uint8(255)).astype(np.uint8) if count > 1 else np.zeros_like(closed)
    return mask


def mean_change(before: Image, after: Image, mask: Mask) -> float:
    """Mean absolute difference of two uint8 (h, w, 3) images inside a mask, in grey levels."""
    import cv2

    inside = cv2.mean(cv2.absdiff(before, after), mask=mask)
    return float(sum(inside[:3]) / 3)
