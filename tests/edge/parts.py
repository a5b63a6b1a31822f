"""Small parts, drawn: good ones that differ a little, and ones with a stain."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def good_part(number: int = 0) -> np.ndarray:
    """A bright disc on a dark plate with a little noise; uint8 (96, 128, 3)."""
    image = np.full((96, 128, 3), 60, np.uint8)
    cv2.circle(image, (64, 48), 30, (150, 160, 170), -1)
    noise = np.random.default_rng(number).normal(0, 3, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def stained_part(number: int = 0) -> np.ndarray:
    """A good part with a black stain on its disc's lower right."""
    image = good_part(1000 + number)
    cv2.circle(image, (78, 62), 9, (5, 5, 5), -1)
    return image


def write_parts(folder: Path, good: int = 3, stained: int = 0) -> list[Path]:
    """Parts as PNG files, good ones first; their paths in the order of their names."""
    folder.mkdir(parents=True, exist_ok=True)
    images = [good_part(number) for number in range(good)] + [
        stained_part(number) for number in range(stained)
    ]
    paths = [folder / f"part-{number:03}.png" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        assert cv2.imwrite(str(path), image)
    return paths
