"""The figures say what a person at the lens must know."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.cameras.figures import measure_picture
from tests.edge.cameras.images import picture


def test_sharpness_is_highest_in_focus() -> None:
    sharp = picture(1, 240, 320)
    blurred = [cv2.GaussianBlur(sharp, (0, 0), sigma) for sigma in (0.7, 1.5, 4)]
    values = [measure_picture(image).sharpness for image in [sharp, *blurred]]
    assert values == sorted(values, reverse=True)


def test_clipped_pixels_are_shares_of_all_pixels() -> None:
    image = np.full((100, 100, 3), 128, np.uint8)
    image[:20, :, 2] = 255  # one channel is enough to lose what it shows
    image[80:, :, 2] = 0
    image[90:] = 0
    figures = measure_picture(image)
    assert figures.saturated == pytest.approx(0.2)
    assert figures.dark == pytest.approx(0.1)


def test_grey_pictures_are_measured_alike() -> None:
    figures = measure_picture(np.full((48, 64), 100, np.uint8))
    assert (figures.width, figures.height, figures.mean, figures.sharpness) == (64, 48, 100, 0)
    assert figures.histogram[100] == figures.histogram.sum() == 48 * 64
