"""What an engine accepts, and how an image is brought to its input size."""

from __future__ import annotations

import numpy as np
import pytest

from edge.errors import FrameError
from edge.image_size import MIN_SIDE_PX
from edge.image_types import check_image
from edge.vision.engine import fit_into


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((1, 1), np.uint8), f"at least {MIN_SIDE_PX}"),
        (
            np.zeros((MIN_SIDE_PX - 1, 500, 3), np.uint8),
            f"at least {MIN_SIDE_PX}",
        ),  # one short side is enough
        (np.zeros((64, 64), np.uint16), "uint16"),  # 16 bits would be cut off silently
        (np.zeros((64, 64, 3), np.float32), "float32"),
        (np.zeros((64, 64, 4), np.uint8), "without an alpha"),
        (np.zeros((64, 64, 1), np.uint8), "shape"),
        (np.zeros((64,), np.uint8), "shape"),
        (None, "NoneType"),  # what OpenCV returns for a file that it cannot read
    ],
)
def test_what_is_no_image_is_refused(image: np.ndarray, words: str) -> None:
    with pytest.raises(FrameError, match=words):
        check_image(image)


@pytest.mark.parametrize("shape", [(MIN_SIDE_PX, MIN_SIDE_PX), (MIN_SIDE_PX, MIN_SIDE_PX, 3), (2000, 40, 3)])
def test_grey_and_colour_images_of_any_shape_are_taken(shape: tuple[int, ...]) -> None:
    check_image(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    "shape",
    [(56, 84), (112, 168), (37, 50), (200, 40), (20, 300)],  # as it is, shrunk, enlarged, one of each
)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_image_fills_the_buffer_itself(shape: tuple[int, int], channels: int) -> None:
    rows = np.linspace(10, 200, shape[0])[:, None] * np.ones(shape[1])
    image = rows.astype(np.uint8) if channels == 1 else np.dstack([rows] * 3).astype(np.uint8)
    buffer = np.full((56, 84, 3), 255, np.uint8)
    fit_into(image, buffer)
    expected = np.linspace(10, 200, 56)[:, None, None] * np.ones((56, 84, 3))
    assert np.abs(buffer - expected).max() < 4


def test_shrinking_averages_so_that_nothing_between_the_samples_is_lost() -> None:
    image = np.zeros((560, 560, 3), np.uint8)
    image[::10] = 250  # one line in ten, which taking every tenth line could miss or take for all
    buffer = np.zeros((56, 56, 3), np.uint8)
    fit_into(image, buffer)
    assert np.abs(buffer.astype(int) - 25).max() <= 1


def test_an_image_of_the_input_size_is_not_changed() -> None:
    image = np.random.default_rng(0).integers(0, 256, (56, 56, 3), dtype=np.uint8)
    buffer = np.zeros_like(image)
    fit_into(image, buffer)
    assert np.array_equal(buffer, image)
