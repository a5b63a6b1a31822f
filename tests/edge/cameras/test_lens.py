"""The smallest defect spans two patches in the field that is chosen."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cameras.lens import widest_field
from edge.errors import CameraError


def test_the_default_encoder_sees_a_sixteenth_of_its_field() -> None:
    field = widest_field(defect_mm=1, part_mm=40)
    assert field.field_mm == 16  # 32 patches, two of them for the defect
    assert field.patch_mm == 0.5
    assert field.images_per_part == 3
    assert field.sensor_px == 448
    assert field.focal_length_mm is None


def test_a_part_that_fits_fills_the_image() -> None:
    field = widest_field(defect_mm=5, part_mm=40)
    assert (field.field_mm, field.images_per_part) == (40, 1)
    assert field.patch_mm == 1.25


def test_the_lens_follows_from_sensor_and_distance() -> None:
    """A 2/3-inch sensor's 8.8 mm onto 88 mm: a tenth of the size, so 1/11 of the distance."""
    field = widest_field(defect_mm=8, part_mm=88, sensor_mm=8.8, distance_mm=275)
    assert field.focal_length_mm == pytest.approx(25)


lengths = st.floats(0.001, 10_000)


@given(defect=lengths, part=lengths, patch=st.sampled_from([14, 16, 32]), patches=st.integers(2, 64))
def test_the_defect_spans_two_patches_and_the_images_cover_the_part(
    defect: float, part: float, patch: int, patches: int
) -> None:
    if defect > part:
        defect, part = part, defect
    field = widest_field(defect, part, patch * patches, patch)
    assert defect / field.patch_mm >= 2 - 1e-6
    assert field.images_per_part * field.field_mm >= part * (1 - 1e-6)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ({"defect_mm": 0, "part_mm": 1}, "smallest defect is 0 mm"),
        ({"defect_mm": math.nan, "part_mm": 1}, "smallest defect is nan mm"),
        ({"defect_mm": 2, "part_mm": 1}, "larger than the part"),
        ({"defect_mm": 1, "part_mm": math.inf}, "part is inf mm"),
        ({"defect_mm": 1, "part_mm": 2, "distance_mm": -5}, "distance is -5 mm"),
        ({"defect_mm": 1, "part_mm": 2, "input_px": 14}, "does not contain 2 patches"),
    ],
)
def test_what_makes_no_sense_is_refused(lengths: dict[str, Any], message: str) -> None:
    with pytest.raises(CameraError, match=message) as caught:
        widest_field(**lengths)
    assert caught.value.remedy
