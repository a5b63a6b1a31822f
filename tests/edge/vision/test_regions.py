"""Regions are where the map is, in the pixels of the image that the camera took."""

from __future__ import annotations

import numpy as np

from edge.vision.regions import MAX_REGIONS, find_regions, peak_location


def bumps(*places: tuple[int, int, float], size: int = 90) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    total = np.zeros((size, size), np.float32)
    for cy, cx, height in places:
        total += (height * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 40)).astype(np.float32)
    return total


def test_two_defects_are_two_regions_the_strongest_first() -> None:
    found = find_regions(bumps((20, 20, 1.0), (70, 60, 1.5)), 0.4, (90, 90))
    assert len(found) == 2
    assert found[0].peak > found[1].peak
    assert found[0].x < 60 < found[0].x + found[0].width
    assert found[0].y < 70 < found[0].y + found[0].height


def test_boxes_are_in_the_captured_images_pixels() -> None:
    small = find_regions(bumps((45, 30, 1.0)), 0.4, (90, 90))[0]
    large = find_regions(bumps((45, 30, 1.0)), 0.4, (900, 1800))[0]
    assert (large.x, large.y) == (small.x * 20, small.y * 10)
    assert large.area == small.area * 200


def test_a_box_never_leaves_the_image() -> None:
    for shape in ((90, 90), (61, 127), (1000, 333)):
        (whole,) = find_regions(np.ones((90, 90), np.float32), 0.4, shape)
        assert (whole.x, whole.y, whole.width, whole.height) == (0, 0, shape[1], shape[0])
        corner = np.zeros((90, 90), np.float32)
        corner[88:, 88:] = 1
        (region,) = find_regions(corner, 0.4, shape)
        assert shape[1] - 1 <= region.x + region.width <= shape[1]
        assert shape[0] - 1 <= region.y + region.height <= shape[0]


def test_a_part_that_is_ng_by_a_small_defect_still_has_its_place() -> None:
    found = find_regions(bumps((20, 20, 0.3)), 0.4, (90, 90))
    assert len(found) == 1
    assert found[0].x < 20 < found[0].x + found[0].width


def test_a_flat_good_map_is_no_region() -> None:
    assert find_regions(np.full((90, 90), -0.2, np.float32), 0.4, (90, 90)) == ()


def test_many_specks_are_the_strongest_few() -> None:
    places = [(12 + 24 * (i // 7), 12 + 24 * (i % 7), 1 + i / 100) for i in range(49)]
    found = find_regions(bumps(*places, size=180), 0.6, (180, 180))
    assert len(found) == MAX_REGIONS
    assert [r.peak for r in found] == sorted((r.peak for r in found), reverse=True)


def test_the_peak_is_named() -> None:
    assert peak_location(bumps((80, 10, 1.0))) == "bottom left"
    assert peak_location(bumps((45, 45, 1.0))) == "center"
