"""Parts to measure with: a folder of images, or drawn ones where none are at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.cameras import IMAGE_SUFFIXES
from edge.errors import DatasetError
from edge.image_types import Image
from edge.records import write_image
from edge.vision.simulate import simulate

SIZE_PX = (1024, 1280)
"""Height and width: a common camera of 1.3 megapixels."""


def render_part(seed: int) -> Image:
    """A good part: a brushed metal washer, a little moved and lit at random; uint8 (H, W, 3) BGR."""
    import cv2

    rng = np.random.default_rng(seed)
    height, width = SIZE_PX
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    centre_y, centre_x = height / 2 + rng.normal(0, 4), width / 2 + rng.normal(0, 4)
    radius = np.hypot(y - centre_y, x - centre_x) / (height / 2)
    angle = np.arctan2(y - centre_y, x - centre_x)
    brushed = cv2.GaussianBlur(rng.normal(0, 1, SIZE_PX).astype(np.float32), (0, 0), sigmaX=12, sigmaY=0.8)
    shine = 150 + 35 * np.cos(2 * (angle - 0.6)) + 60 * brushed
    metal = (radius > 0.35) & (radius < 0.8)
    edge = np.abs(np.abs(radius - 0.575) - 0.225) < 0.012
    grey = np.where(metal, shine - 50 * edge, 40) * rng.normal(1, 0.02) + rng.normal(0, 2, SIZE_PX)
    tint = np.array([1.0, 0.98, 0.94], np.float32)
    return np.clip(grey[:, :, None] * tint, 0, 255).astype(np.uint8)


def drawn_parts(folder: Path, good: int, mixed: int) -> tuple[list[Path], list[Path]]:
    """Draws parts into a folder as JPEG files.

    Returns:
        ``good`` good parts to learn from, and ``mixed`` parts of which every second has a defect.

    Raises:
        RecordsError: a file cannot be written.
    """
    paths = []
    for number in range(good + mixed):
        part = render_part(number)
        if number >= good and (number - good) % 2:
            part = simulate(part, np.random.default_rng(number), size=0.01, contrast=60.0).image
        paths.append(folder / f"part-{number:04}.jpg")
        write_image(paths[-1], part)
    return paths[:good], paths[good:]


def given_parts(folder: Path, good: int) -> tuple[list[Path], list[Path]]:
    """The images of a folder: the first ``good`` by name to learn from, and the others.

    Raises:
        DatasetError: there is no such folder, or nothing is left to inspect.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    except OSError as error:
        raise DatasetError(
            f"{folder} cannot be read: {error.strerror or error}.", "Give a folder of images."
        ) from error
    if len(paths) <= good:
        raise DatasetError(
            f"{folder} has {len(paths)} images, of which the first {good} are references.",
            f"Add images until there are at least {good + 1}, or use fewer references.",
        )
    return paths[:good], paths[good:]
