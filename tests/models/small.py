"""Products drawn for the tests in a fraction of a millisecond."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

SIDE = 96


@dataclass(frozen=True)
class Plate:
    """A plate with a bar and a disc, in a colour of its own; it counts the parts that were asked for."""

    number: int = 0
    asked: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"plate {self.number}"

    @property
    def description(self) -> str:
        return "a plate with a bar"

    def good(self, part: int) -> np.ndarray:
        self.asked.append(part)
        rng = np.random.default_rng([self.number, part])
        tint = np.random.default_rng(self.number).uniform(60, 200, 3)
        image = np.full((SIDE, SIDE, 3), 60, np.uint8)
        cv2.rectangle(image, (20, 40), (74, 56), tint, -1)
        cv2.circle(image, (74, 48), 15, tint[::-1], -1)
        return np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)
