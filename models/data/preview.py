"""A contact sheet of simulated defects, to judge them by eye.

``python -m models preview IMAGE_OR_FOLDER --out FILE.png`` draws every kind of defect on the good
images, from faint and small to strong and large, each beside itself with its mask outlined.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge.errors import DatasetError, FrameError
from edge.image_types import Image
from edge.vision.simulate import KINDS, SimulatedDefect, simulate

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
_CAPTION_PX = 16
_FAINT_TO_STRONG = (8.0, 90.0)
_SMALL_TO_LARGE = (0.001, 0.08)


def read_images(path: Path, limit: int) -> list[Image]:
    """Read one image, or the first ``limit`` of a folder in the order of their names: uint8 (H, W[, 3]).

    Raises:
        DatasetError: there is no image.
        FrameError: a file cannot be read as an image.
    """
    import cv2

    files = (
        sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
        if path.is_dir()
        else [path]
    )
    if not files:
        raise DatasetError(
            f"There is no image in {path}.", f"Give a folder with {', '.join(sorted(SUFFIXES))}."
        )
    images = []
    for file in files[:limit]:
        image = (
            cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_ANYCOLOR) if file.stat().st_size else None
        )
        if image is None:
            raise FrameError(f"{file} is not an image that can be read.", "Remove it, or save it again.")
        images.append(image)
    return images


def contact_sheet(images: Sequence[Image], columns: int, seed: int, tile_px: int) -> Image:
    """Rows of kinds, columns from faint and small to strong and large: uint8 (H, W, 3).

    Each cell shows the defect, its outline and a caption of area and contrast.
    """
    rows = []
    for row, kind in enumerate(KINDS):
        cells = []
        for column in range(columns):
            which = (row + column) % len(images)
            donors = [image for other, image in enumerate(images) if other != which]
            position = column / max(1, columns - 1)
            rng = np.random.default_rng([seed, row, column])
            # Size and contrast rise along the row, but not in step: both are seen with each other.
            defect = simulate(
                images[which],
                rng,
                kind,
                donors,
                size=_between(_SMALL_TO_LARGE, position),
                contrast=_between(_FAINT_TO_STRONG, (position + rng.uniform(-0.5, 0.5)) % 1),
            )
            cells.append(_cell(defect, tile_px))
        rows.append(np.hstack(cells))
    sheet: Image = np.vstack(rows)
    return sheet


def _cell(defect: SimulatedDefect, tile_px: int) -> Image:
    """The defect beside its outline, with a caption: uint8 (tile + caption, 2·tile, 3)."""
    import cv2

    image = defect.image
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    scale = tile_px / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    plain = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    # Any masked pixel of a tile's pixel counts, so that thin defects keep their outline.
    shrunk = cv2.resize(defect.mask, size, interpolation=cv2.INTER_AREA)
    outlines, _ = cv2.findContours((shrunk > 16).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outlined = cv2.drawContours(plain.copy(), outlines, -1, (0, 0, 255), 1)
    cell = np.full((tile_px + _CAPTION_PX, 2 * tile_px, 3), 32, np.uint8)
    cell[: size[1], : size[0]] = plain
    cell[: size[1], tile_px : tile_px + size[0]] = outlined
    caption = f"{defect.kind} {100 * defect.size_fraction:.2f}% {defect.contrast:.0f}"
    at = (2, tile_px + _CAPTION_PX - 5)
    cv2.putText(cell, caption, at, cv2.FONT_HERSHEY_SIMPLEX, 0.34, (255, 255, 255), 1, cv2.LINE_AA)
    return cell


def _between(limits: tuple[float, float], position: float) -> float:
    low, high = limits
    return float(low * (high / low) ** position)
