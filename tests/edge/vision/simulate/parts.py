"""Good parts drawn for the tests: an object on a plain background, and a textured sheet."""

from __future__ import annotations

import cv2
import numpy as np

from edge.image_types import Image


def part(height: int = 160, width: int = 200, background: tuple[int, int, int] = (240, 240, 240)) -> Image:
    """A brown, grained, printed ellipse on a plain background with a camera's noise: uint8 (H, W, 3)."""
    rng = np.random.default_rng(height * 10_000 + width)
    image = np.full((height, width, 3), background, np.uint8)
    centre, axes = (width // 2, height // 2), (int(width * 0.33), int(height * 0.36))
    cv2.ellipse(image, centre, axes, 0, 0, 360, (60, 90, 130), -1, cv2.LINE_AA)
    print_at = (width // 2 - width // 10, height // 2)
    cv2.putText(image, "FF", print_at, cv2.FONT_HERSHEY_SIMPLEX, width / 300, (40, 60, 90))
    return np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)


def part_outline(height: int = 160, width: int = 200) -> Image:
    """Where ``part`` shows its object: uint8 (H, W), 255 inside."""
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, (width // 2, height // 2), (int(width * 0.33), int(height * 0.36)), 0, 0, 360, 255, -1)
    return mask


def sheet(height: int = 128, width: int = 128, seed: int = 0) -> Image:
    """A grey textured sheet that fills the image: uint8 (H, W)."""
    rng = np.random.default_rng(seed)
    texture = cv2.GaussianBlur(rng.normal(0, 60, (height, width)).astype(np.float32), (0, 0), 1.5)
    return np.asarray(np.clip(140 + texture, 0, 255), np.uint8)
