"""Areas are read as a person writes or paints them, and nothing else is taken for one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ProductError
from edge.vision.view import View, box_of, polygon_of, polygons_of_mask

BLOTS = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 20)), min_size=1, max_size=6
)
NO_AREAS = ["", "1,2", "1,2,3", "1,2 3,4", "1,2,0,4", "a,b,c,d", "1,2,3,4,5", "1,2 3,4 5", "1.5,2,3,4"]


def test_a_box_and_a_polygon_are_told_apart() -> None:
    assert box_of(" 10,20,300,200 ") == (10, 20, 300, 200)
    assert polygon_of("10,20,3,2") == ((10, 20), (12, 20), (12, 21), (10, 21))
    assert polygon_of("10,20 300,20 150,200") == ((10, 20), (300, 20), (150, 200))


@pytest.mark.parametrize("text", NO_AREAS)
def test_anything_else_is_refused_with_how_to_write_one(text: str) -> None:
    for read in (box_of, polygon_of):
        with pytest.raises(ProductError, match=r"is no (area|box)") as caught:
            read(text)
        assert "X,Y,WIDTH,HEIGHT" in (caught.value.remedy or "")


def kept(mask: np.ndarray) -> np.ndarray:
    """What a view ignores after the mask went through its polygons."""
    size = mask.shape[0], mask.shape[1]
    return View(size, ignore=polygons_of_mask(mask, Path("mask.png"))).ignored(size) > 0


@given(blots=BLOTS)
def test_what_is_painted_is_ignored_to_the_pixel(blots: list[tuple[int, int, int]]) -> None:
    mask = np.full((72, 72), 255, np.uint8)
    for x, y, size in blots:
        cv2.rectangle(mask, (x, y), (x + size, y + size), 0, -1)
    np.testing.assert_array_equal(kept(mask), mask == 0)


def test_a_hole_in_what_is_painted_is_looked_at() -> None:
    mask = np.full((64, 64), 255, np.uint8)
    cv2.circle(mask, (32, 32), 25, 0, -1)
    cv2.circle(mask, (30, 30), 9, 255, -1)
    np.testing.assert_array_equal(kept(mask), mask == 0)


@pytest.mark.parametrize(("value", "says"), [(255, "ignores nothing"), (0, "ignores everything")])
def test_a_mask_that_leaves_all_or_nothing_is_refused(value: int, says: str) -> None:
    with pytest.raises(ProductError, match=says):
        polygons_of_mask(np.full((64, 64), value, np.uint8), Path("mask.png"))


def test_a_photograph_is_no_mask() -> None:
    ramp = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
    with pytest.raises(ProductError, match="not black and white"):
        polygons_of_mask(ramp, Path("part.png"))
