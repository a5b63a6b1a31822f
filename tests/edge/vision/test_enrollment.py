"""A product is learned from good parts alone, in the orientations it comes in, repeatably."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from edge.bundle import Bundle
from edge.errors import FrameError, ProductError
from edge.vision.enrollment import BANK_ROWS, enroll
from edge.vision.inspector import Inspector
from edge.vision.openvino import OpenVinoEngine
from edge.vision.self_similarity import self_similarity_score


@pytest.fixture(scope="module")
def engine(tiny_bundle: Bundle) -> Iterator[OpenVinoEngine]:
    engine = OpenVinoEngine(tiny_bundle, "fp32", threads=1)
    yield engine
    engine.close()


def part(number: int, angle_deg: float = 0, stain: bool = False) -> np.ndarray:
    """A plate with a bright bar and a disc at one end, so that its orientation shows."""
    rng = np.random.default_rng(number)
    image = np.full((112, 112, 3), 60, np.uint8)
    cv2.rectangle(image, (26, 46), (86, 66), (150, 160, 170), -1)
    cv2.circle(image, (86, 56), 18, (90, 60, 200), -1)
    if stain:
        cv2.circle(image, (40, 56), 9, (0, 0, 0), -1)
    turn = cv2.getRotationMatrix2D((55.5, 55.5), angle_deg, 1)
    image = cv2.warpAffine(image, turn, (112, 112), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(np.clip(image + rng.normal(0, 2, image.shape), 0, 255), np.uint8)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_few_good_parts_are_enough_to_tell_a_stained_one(engine: OpenVinoEngine, count: int) -> None:
    memory = enroll(engine, [part(i) for i in range(count)], bundle_id="tiny")
    inspector = Inspector(engine, memory)
    assert inspector.inspect(part(50)).score < inspector.inspect(part(51, stain=True)).score
    assert memory.references == count
    assert memory.shape == (112, 112)
    assert memory.good_scores.size == (count if count > 1 else 8)


def test_the_same_references_teach_the_same_to_the_bit(engine: OpenVinoEngine) -> None:
    first, again = (enroll(engine, [part(0), part(1)], bundle_id="tiny") for _ in range(2))
    assert first.boundary == again.boundary
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, again.arrays[name])


def test_parts_that_come_in_quarter_turns_are_learned_in_all_four(engine: OpenVinoEngine) -> None:
    references = [part(i, angle_deg=90 * i) for i in range(4)]
    assert enroll(engine, references, bundle_id="tiny").rotations == "90"


def test_parts_that_lie_straight_are_learned_as_they_lie(engine: OpenVinoEngine) -> None:
    assert enroll(engine, [part(i) for i in range(4)], bundle_id="tiny").rotations == "none"


def test_one_reference_cannot_tell_its_orientations(engine: OpenVinoEngine) -> None:
    assert enroll(engine, [part(0)], bundle_id="tiny").rotations == "none"
    assert enroll(engine, [part(0)], bundle_id="tiny", rotations="90").rotations == "90"


def test_a_bank_stays_within_its_rows(engine: OpenVinoEngine) -> None:
    memory = enroll(engine, [part(i) for i in range(12)], bundle_id="tiny", rotations="fine")
    assert memory.arrays["bank"].shape == (BANK_ROWS, engine.feature_width)


def test_grey_references_are_learned_too(engine: OpenVinoEngine) -> None:
    grey = [cv2.cvtColor(part(i), cv2.COLOR_BGR2GRAY) for i in range(2)]
    assert Inspector(engine, enroll(engine, grey, bundle_id="tiny")).inspect(grey[0]).score < 1


def test_progress_is_told_to_its_end(engine: OpenVinoEngine) -> None:
    told: list[tuple[str, int, int]] = []
    enroll(engine, [part(0)], bundle_id="tiny", progress=lambda *step: told.append(step))
    ends = {what: (done, total) for what, done, total in told}
    assert set(ends) == {
        "reading references",
        "building the bank",
        "looking at everyday views",
        "simulating defects",
    }
    assert all(done == total for done, total in ends.values())


def test_bad_references_are_refused(engine: OpenVinoEngine) -> None:
    with pytest.raises(ProductError, match="no reference"):
        enroll(engine, [], bundle_id="tiny")
    with pytest.raises(ProductError, match="sideways"):
        enroll(engine, [part(0)], bundle_id="tiny", rotations="sideways")
    with pytest.raises(FrameError, match="Reference 2"):
        enroll(engine, [part(0), np.zeros((1, 1, 3), np.uint8)], bundle_id="tiny")


def test_an_image_is_as_unlike_itself_as_its_own_places_differ() -> None:
    """Two kinds of stripes: each patch has its like elsewhere; one odd patch has none."""
    rows = np.zeros((100, 4), np.float32)
    rows[np.arange(100), (np.arange(100) // 10) % 2] = 1
    assert self_similarity_score(rows, (10, 10)) == pytest.approx(0, abs=1e-6)
    rows[44] = (0, 0, 1, 0)
    assert self_similarity_score(rows, (10, 10)) > 0.2
