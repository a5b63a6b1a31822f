"""What is outside of the region or ignored is never seen; what is found is told in the image's pixels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import FrameError, ProductError
from edge.inspection import Region
from edge.vision.enrollment import enroll
from edge.vision.inspector import Finding, Inspector
from edge.vision.memory import Memory
from edge.vision.openvino import OpenVinoEngine
from edge.vision.view import WHOLE_FRAME, View, check_view

SHAPE = (120, 160)
VIEW = View(SHAPE, roi=(20, 10, 112, 96), ignore=(((30, 20), (60, 20), (60, 50), (30, 50)),))


def part(seed: int, stain: tuple[int, int] | None = None) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = np.full((*SHAPE, 3), 60, np.uint8)
    cv2.rectangle(image, (30, 30), (120, 95), (150, 160, 170), -1)
    if stain is not None:
        cv2.circle(image, stain, 8, (0, 0, 0), -1)
    return np.asarray(np.clip(image + rng.normal(0, 2, image.shape), 0, 255), np.uint8)


@pytest.fixture(scope="module")
def inspector(engine: OpenVinoEngine) -> Inspector:
    return Inspector(engine, enroll(engine, [part(0), part(1)], bundle_id="tiny", view=VIEW))


def told(found: Finding) -> tuple[object, ...]:
    return found.verdict, found.score, found.p_value, found.regions, found.location, found.map.tobytes()


@given(seed=st.integers(0, 2**32 - 1), data=st.data())
@settings(deadline=None, max_examples=40)
def test_what_is_ignored_or_outside_can_never_change_a_verdict(
    inspector: Inspector, seed: int, data: st.DataObject
) -> None:
    image = part(seed, data.draw(st.none() | st.tuples(st.integers(70, 110), st.integers(55, 90))))
    x, y, width, height = VIEW.region(SHAPE)
    unseen = np.ones(SHAPE, bool)
    unseen[y : y + height, x : x + width] = VIEW.ignored((height, width)) > 0
    other = image.copy()
    other[unseen] = np.random.default_rng(seed).integers(0, 256, (int(unseen.sum()), 3), np.uint8)
    assert told(inspector.inspect(image)) == told(inspector.inspect(other))


def test_what_is_found_lies_where_it_is_in_the_image(inspector: Inspector) -> None:
    finding = inspector.inspect(part(5, stain=(100, 70)))
    strongest = finding.regions[0]
    assert strongest.x <= 100 <= strongest.x + strongest.width
    assert strongest.y <= 70 <= strongest.y + strongest.height
    row, column = np.unravel_index(int(finding.map.argmax()), finding.map.shape)
    assert abs(row / finding.map.shape[0] * SHAPE[0] - 70) < 16
    assert abs(column / finding.map.shape[1] * SHAPE[1] - 100) < 16


def test_a_region_is_judged_as_an_image_that_was_cut_before(engine: OpenVinoEngine) -> None:
    view = View(SHAPE, roi=(20, 10, 112, 96))

    def cut(image: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(image[10:106, 20:132])

    seen = Inspector(engine, enroll(engine, [part(0), part(1)], bundle_id="tiny", view=view))
    before = Inspector(engine, enroll(engine, [cut(part(0)), cut(part(1))], bundle_id="tiny"))
    for seed, stain in ((7, None), (8, (90, 60))):
        one, other = seen.inspect(part(seed, stain)), before.inspect(cut(part(seed, stain)))
        assert (one.score, one.verdict, one.location) == (other.score, other.verdict, other.location)
        assert [(r.x - 20, r.y - 10, r.width, r.height) for r in one.regions] == [
            (r.x, r.y, r.width, r.height) for r in other.regions
        ]


@given(
    height=st.integers(64, 400),
    width=st.integers(64, 400),
    scale=st.sampled_from([0.5, 1.0, 1.7, 3.0]),
    data=st.data(),
)
@settings(deadline=None)
def test_there_and_back_is_the_same_place(height: int, width: int, scale: float, data: st.DataObject) -> None:
    """A region that fills the cut is the view's own box, in an image of any size, within a pixel."""
    wide, high = data.draw(st.integers(64, width)), data.draw(st.integers(64, height))
    x, y = data.draw(st.integers(0, width - wide)), data.draw(st.integers(0, height - high))
    view = View((height, width), roi=(x, y, wide, high))
    shape = round(height * scale), round(width * scale)
    image = np.zeros(shape, np.uint8)
    try:
        placement = view.placed(image, (448, 448))
    except FrameError:
        assert scale < 1
        return
    seen = placement.seen(image)
    (region,) = placement.regions([Region(0, 0, seen.shape[1], seen.shape[0], 1, 1.0)])
    assert abs(region.x - x * shape[1] / width) <= 1 and abs(region.y - y * shape[0] / height) <= 1
    assert abs(region.width - wide * shape[1] / width) <= 1
    assert abs(region.height - high * shape[0] / height) <= 1
    assert region.x + region.width <= shape[1] and region.y + region.height <= shape[0]


def test_a_view_is_kept_with_what_was_learned(inspector: Inspector, tmp_path: Path) -> None:
    inspector.memory.save(tmp_path / "memory.npz")
    assert Memory.load(tmp_path / "memory.npz").view == VIEW
    assert View.from_json(None) == WHOLE_FRAME  # of a product from before there were views


def test_the_whole_frame_is_given_as_it_is() -> None:
    image = part(0)
    assert WHOLE_FRAME.placed(image, (448, 448)).seen(image) is image


@pytest.mark.parametrize(
    ("view", "says"),
    [
        (View(SHAPE, roi=(100, 0, 80, 80)), "not within the references' 160x120 px"),
        (View(SHAPE, roi=(0, 0, 20, 80)), "too small to inspect"),
        (View(SHAPE, ignore=(((0, 0), (159, 0), (159, 119), (0, 119)),)), "Everything is ignored"),
    ],
)
def test_a_view_that_leaves_nothing_is_refused(view: View, says: str) -> None:
    with pytest.raises(ProductError, match=says):
        check_view(view)


def test_an_image_that_the_region_does_not_fit_is_an_error_of_that_part() -> None:
    with pytest.raises(FrameError, match="does not fit an image of 40x40 px"):
        View(SHAPE, roi=(100, 80, 60, 40)).placed(np.zeros((40, 40), np.uint8), (448, 448))
