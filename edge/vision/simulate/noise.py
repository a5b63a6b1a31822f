"""Fractal noise, grain and light from one side: what tells a real surface from a drawn one."""

from __future__ import annotations

import numpy as np

from edge.image_types import Array

_COARSE_SIGMA_PX = 4.0
_PIXELS_PER_LUMP = 4


def fractal_noise(
    rng: np.random.Generator, height: int, width: int, cells: float = 3.0, octaves: int = 4
) -> Array:
    """Smooth noise that repeats itself at ever smaller scales: float32 (height, width), about -1 to 1.

    Args:
        cells: how many lumps fit across the longer side at the coarsest octave.
        octaves: how many finer copies are added, each twice as fine and half as strong.
    """
    import cv2

    longer = max(height, width)
    # Drawn no finer than its finest lumps need, then enlarged: large windows cost little more.
    scale = min(1.0, _PIXELS_PER_LUMP * cells * 2 ** (octaves - 1) / longer)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    total = np.zeros((size[1], size[0]), np.float32)
    for octave in range(octaves):
        lumps = cells * 2**octave
        if octave and lumps > longer:
            break
        grid = (max(2, round(height / longer * lumps) + 1), max(2, round(width / longer * lumps) + 1))
        values = rng.uniform(-1, 1, grid).astype(np.float32)
        total += cv2.resize(values, size, interpolation=cv2.INTER_CUBIC) / 2**octave
    return total if size == (width, height) else _enlarged(total, height, width)


def _enlarged(field: Array, height: int, width: int) -> Array:
    import cv2

    large: Array = cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
    return large


def grain_of(pixels: Array, sigma_px: float = 1.5) -> Array:
    """The fine texture of float32 (h, w, 3) pixels without their shapes, kept small: same shape."""
    import cv2

    fine = pixels - cv2.GaussianBlur(pixels, (0, 0), sigma_px)
    limit = 2.5 * float(np.median(np.abs(fine))) + 0.5
    grain: Array = np.clip(fine, -limit, limit)
    return grain


def blurred(field: Array, sigma_px: float) -> Array:
    """A Gaussian blur of float32 (h, w) that costs the same for a wide one: drawn coarsely and enlarged."""
    import cv2

    if sigma_px <= 0:
        return field
    step = max(1.0, sigma_px / _COARSE_SIGMA_PX)
    if step == 1:
        fine: Array = cv2.GaussianBlur(field, (0, 0), sigma_px)
        return fine
    height, width = field.shape
    size = (max(2, round(width / step)), max(2, round(height / step)))
    coarse = cv2.resize(field, size, interpolation=cv2.INTER_AREA)
    coarse = cv2.GaussianBlur(coarse, (0, 0), sigma_px / step)
    return _enlarged(coarse, height, width)


def lit_from_one_side(rng: np.random.Generator, height_field: Array) -> Array:
    """How light from a random side falls on a height field (h, w): float32 alike, -1 in the shade to 1."""
    down, across = np.gradient(height_field)
    light = float(rng.uniform(0, 2 * np.pi))
    shade = np.cos(light) * across + np.sin(light) * down
    lit: Array = (shade / (float(np.abs(shade).max()) + 1e-6)).astype(np.float32)
    return lit
