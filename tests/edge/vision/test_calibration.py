"""The boundary follows from the references; whatever they show, the scale exists."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.vision.calibration import Evidence, calibrate
from edge.vision.memory import as_float32

raw = st.floats(0, 2, width=32)
some = st.lists(raw, min_size=1, max_size=40).map(as_float32)


def evidence(
    leave_one_out: list[float] | None = None,
    defects: list[float] | None = None,
    views: list[float] | None = None,
) -> Evidence:
    found = as_float32([0.2, 0.3, 0.4, 0.5, 0.6] if defects is None else defects)
    return Evidence(
        leave_one_out=as_float32(leave_one_out or []),
        views=as_float32(views or [0.1, 0.11, 0.12]),
        self_similarity=as_float32([0.1]),
        defects=found,
        typical_defects=found[len(found) // 3 :],
    )


def test_a_typical_good_part_is_0_and_a_typical_defect_is_1() -> None:
    scale = calibrate(evidence([0.1, 0.11, 0.09, 0.1]))
    assert abs(float(scale.apply(as_float32([0.0997]))[0])) < 0.01
    assert abs(float(scale.apply(as_float32([0.4472]))[0]) - 1) < 0.01  # the middle of 0.3 to 0.6


def test_the_boundary_lies_between_good_parts_and_defects() -> None:
    scale = calibrate(evidence([0.1, 0.11, 0.09, 0.1]))
    assert scale.apply(as_float32([0.11]))[0] < scale.boundary < scale.apply(as_float32([0.2]))[0]


def test_good_parts_that_differ_more_move_the_boundary_up() -> None:
    alike = calibrate(evidence([0.10, 0.10, 0.10, 0.10, 0.10, 0.10]))
    differing = calibrate(evidence([0.07, 0.14, 0.08, 0.12, 0.10, 0.10]))
    assert differing.offset + differing.boundary / differing.gain > (
        alike.offset + alike.boundary / alike.gain
    )


def test_two_references_that_are_alike_by_chance_do_not_make_the_boundary_tight() -> None:
    scale = calibrate(evidence([0.1, 0.1]))
    assert scale.apply(as_float32([0.12]))[0] < scale.boundary


def test_one_reference_takes_the_geometric_middle() -> None:
    scale = calibrate(evidence(views=[0.1], defects=[0.4, 0.4, 0.4]))
    assert np.isclose(scale.offset + scale.boundary / scale.gain, 0.2, atol=1e-6)


@given(leave_one_out=st.lists(raw, max_size=8).map(as_float32), views=some, similarity=some, defects=some)
def test_whatever_the_references_show_the_scale_exists(
    leave_one_out: np.ndarray, views: np.ndarray, similarity: np.ndarray, defects: np.ndarray
) -> None:
    scale = calibrate(Evidence(leave_one_out, views, similarity, defects, defects))
    assert np.isfinite(scale.scale).all()
    assert scale.gain > 0
    assert 0 < scale.boundary < 1
