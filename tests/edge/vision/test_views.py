"""Views are what a fixture and a lamp do; turns are exact where they can be."""

from __future__ import annotations

import numpy as np
import pytest

from edge.vision.views import TURNS_DEG, everyday_view, turned
from tests.build_engines.tiny import picture


def test_a_quarter_turn_of_a_square_image_is_exact() -> None:
    image = picture()
    np.testing.assert_array_equal(turned(image, 90), np.rot90(image))
    np.testing.assert_array_equal(turned(turned(image, 180), 180), image)


@pytest.mark.parametrize("angle", TURNS_DEG["fine"])
@pytest.mark.parametrize("shape", [(84, 84, 3), (60, 90, 3), (90, 60)])
def test_a_turned_image_keeps_its_shape(angle: float, shape: tuple[int, ...]) -> None:
    image = picture(shape=shape)
    assert turned(image, angle).shape == shape
    assert turned(image, angle).dtype == np.uint8


@pytest.mark.parametrize("shape", [(84, 84, 3), (90, 60)])
def test_an_everyday_view_is_the_image_a_little_changed(shape: tuple[int, ...]) -> None:
    image = picture(shape=shape)
    view = everyday_view(image, np.random.default_rng(0))
    assert view.shape == image.shape
    assert view.dtype == np.uint8
    assert not np.array_equal(view, image)
    assert np.abs(view.astype(int) - image).mean() < 40


def test_the_same_seed_gives_the_same_view() -> None:
    image = picture()
    first, again = (everyday_view(image, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
