"""Fractal noise: the irregularity of everything that is not made by a machine."""

from __future__ import annotations

import numpy as np

from edge.vision.simulate.scene import Floats


def fractal_noise(
    rng: np.random.Generator, height: int, width: int, cells: float = 3.0, octaves: int = 4
) -> Floats:
    """Smooth noise that repeats itself at ever smaller scales: float32 (height, width), about -1 to 1.

    Args:
        cells: how many lumps fit across the longer side at the coarsest octave.
        octaves: how many finer copies are added, each twice as fine and half as strong.
    """
    import cv2

    total = np.zeros((height, width), np.float32)
    longer = max(height, width)
    for octave in range(octaves):
        lumps = cells * 2**octave
        if octave and lumps > longer:
            break
        grid = (max(2, round(height / longer * lumps) + 1), max(2, round(width / longer * lumps) + 1))
        values = rng.uniform(-1, 1, grid).astype(np.float32)
        total += cv2.resize(values, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    return total


def grain_of(pixels: Floats, sigma_px: float = 1.5) -> Floats:
    """The fine texture of float32 (h, w, 3) pixels without their shapes, kept small: same shape."""
    import cv2

    fine = pixels - cv2.GaussianBlur(pixels, (0, 0), sigma_px)
    limit = 2.5 * float(np.median(np.abs(fine))) + 0.5
    grain: Floats = np.clip(fine, -limit, limit)
    return grain
