from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.image_types import Image
from edge.vision.simulate import find_foreground
from tests.edge.vision.simulate.parts import part, part_outline, sheet


def overlap(one: Image, other: Image) -> float:
    """Intersection over union of two masks."""
    return float(np.sum((one > 0) & (other > 0)) / np.sum((one > 0) | (other > 0)))


@pytest.mark.parametrize("size", [(64, 64), (160, 200), (900, 1200)])
@pytest.mark.parametrize("background", [(240, 240, 240), (12, 10, 10), (40, 200, 40)])
def test_an_object_on_a_plain_background_is_found(
    size: tuple[int, int], background: tuple[int, int, int]
) -> None:
    found = find_foreground(part(*size, background))
    assert overlap(found.mask, part_outline(*size)) > 0.9
    assert found.background is not None and np.abs(found.background - background).max() < 4


def test_a_place_of_the_backgrounds_colour_inside_the_object_is_object() -> None:
    image = part()
    cv2.circle(image, (100, 95), 14, (240, 240, 240), -1)
    assert find_foreground(image).mask[95, 100] == 255


def test_an_object_that_leaves_the_image_at_one_side_is_found() -> None:
    image = np.full((120, 160, 3), 20, np.uint8)
    image[40:80, 90:] = 200
    found = find_foreground(image)
    assert found.mask[60, 155] == 255 and found.mask[10, 10] == 0


NO_PLAIN_BACKGROUND = {
    "a textured sheet fills the image": np.repeat(sheet()[:, :, None], 3, axis=2),
    "nothing is there": np.full((100, 100, 3), 90, np.uint8),
    "the border has two colours": np.repeat(np.repeat([[20], [220]], 60, 0), 120, 1)[:, :, None].repeat(3, 2),
    "brightness runs across": np.tile(np.linspace(0, 255, 120, dtype=np.uint8)[None, :, None], (90, 1, 3)),
    "only specks differ": cv2.circle(np.full((200, 200, 3), 200, np.uint8), (90, 90), 3, (0, 0, 0), -1),
}


@pytest.mark.parametrize("why", NO_PLAIN_BACKGROUND)
def test_without_a_plain_background_everything_is_object(why: str) -> None:
    found = find_foreground(NO_PLAIN_BACKGROUND[why].astype(np.uint8))
    assert found.background is None
    assert (found.mask == 255).all()


def test_objects_scattered_all_over_are_no_single_object() -> None:
    image = np.full((200, 200, 3), 230, np.uint8)
    for x in range(20, 200, 32):
        for y in range(20, 200, 32):
            cv2.circle(image, (x, y), 9, (30, 30, 30), -1)
    assert find_foreground(image).background is None
