"""Training parts of one product: good ones, and ones with one to three simulated anomalies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edge.errors import FrameError
from edge.image_types import Image, Mask
from edge.vision.simulate import simulate

_SIZES = (0.0008, 0.10)
_CONTRASTS = (10.0, 110.0)
_SECOND, _THIRD = 0.25, 0.4  # How often an anomaly is followed by another one.


class ProductSource(Protocol):
    """What training needs of a product."""

    @property
    def name(self) -> str:
        """Of the product."""

    @property
    def description(self) -> str:
        """A short phrase with its article."""

    def good(self, part: int) -> Image:
        """A good part, uint8 (H, W) or (H, W, 3); the same number gives the same part."""


@dataclass(frozen=True, eq=False, slots=True)
class TrainingPart:
    """One part as the camera would show it.

    Attributes:
        image: uint8 (H, W) or (H, W, 3).
        mask: uint8 (H, W), 255 on anomalies; all 0 for a good part.
    """

    image: Image
    mask: Mask

    @property
    def anomalous(self) -> bool:
        return bool(self.mask.any())


def good_part(product: ProductSource, number: int) -> TrainingPart:
    """A good part of a product."""
    image = product.good(number)
    return TrainingPart(image, np.zeros(image.shape[:2], np.uint8))


def anomalous_part(product: ProductSource, number: int, rng: np.random.Generator) -> TrainingPart:
    """The part of that number with one to three anomalies; a good one where none can be drawn."""
    image = product.good(number)
    donors = [product.good(number + 1)]
    mask = np.zeros(image.shape[:2], np.uint8)
    wanted = 1 + int(rng.random() < _SECOND) * (1 + int(rng.random() < _THIRD))
    for _ in range(wanted):
        try:
            defect = simulate(
                image,
                rng,
                donors=donors,
                size=log_uniform(_SIZES, rng),
                contrast=log_uniform(_CONTRASTS, rng),
            )
        except FrameError:
            continue  # An evenly coloured image takes not every kind.
        image = defect.image
        mask |= defect.mask
    return TrainingPart(image, mask)


def log_uniform(limits: tuple[float, float], rng: np.random.Generator) -> float:
    """Drawn on a logarithmic scale."""
    low, high = limits
    return float(low * (high / low) ** rng.random())
