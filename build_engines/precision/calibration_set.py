"""The images that int8's ranges are observed on, and fp16's layers measured on: good parts, mostly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from build_engines.precision.part_costs import ImageBatch
from edge.cameras import read_image
from edge.image_types import Image, check_image
from edge.terminal.image_files import images_in
from edge.vision.engine import fit_into
from models.data.rendered import calibration_images

_RENDERED = 24
_MOST = 64  # More take their time and widen no range that matters.


@dataclass(frozen=True, eq=False, slots=True)
class CalibrationSet:
    """Images, uint8 (H, W) or (H, W, 3), and where they are from, in words."""

    about: str
    images: tuple[Image, ...]

    def batches(self, size: tuple[int, int]) -> list[ImageBatch]:
        """Each image as the graph takes it: uint8 (1, H, W, 3) at that size in pixels."""
        found = []
        for image in self.images:
            buffer = np.zeros((1, *size, 3), np.uint8)
            fit_into(image, buffer[0])
            found.append(buffer)
        return found


def rendered_calibration() -> CalibrationSet:
    """Parts that are rendered for it: the same on every machine, free of any licence."""
    return CalibrationSet(f"{_RENDERED} rendered parts", tuple(calibration_images(_RENDERED)))


def folder_calibration(folder: Path) -> CalibrationSet:
    """The images in a folder, such as a product's references; of many, evenly chosen ones.

    Raises:
        FrameError: there is none, or one cannot be read or is too small.
    """
    files = images_in(folder)
    chosen = [files[i] for i in np.linspace(0, len(files) - 1, min(len(files), _MOST)).astype(int)]
    images = tuple(read_image(file) for file in chosen)
    for image in images:
        check_image(image)
    return CalibrationSet(f"{len(images)} images of {folder.name}", images)
