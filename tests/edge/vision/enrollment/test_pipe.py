"""A product is learned from good parts alone, in the orientations it comes in, repeatably."""

from __future__ import annotations

from typing import Any, cast

import cv2
import numpy as np
import pytest

from edge.errors import FrameError, ProductError
from edge.image_types import Image
from edge.vision.engine import Encoded, Engine, EngineOutput, MemoryArrays
from edge.vision.enrollment import BANK_ROWS, enroll
from edge.vision.enrollment.references import References, seen_references
from edge.vision.enrollment.views import DEFECTS, EVERYDAY_VIEWS, Look, defect_views, seen_defects
from edge.vision.inspector import Inspector
from edge.vision.openvino import OpenVinoEngine
from edge.vision.view import View
from edge.vision.views import TURNS_DEG


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


class Watched:
    """An engine that notes what it is asked for, in order."""

    def __init__(self, engine: OpenVinoEngine) -> None:
        self._engine, self.asked = engine, list[str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def encode(self, image: Image) -> Encoded:
        self.asked.append("encode")
        return self._engine.encode(image)

    def match(self, encoded: Encoded, memory: MemoryArrays) -> EngineOutput:
        self.asked.append("match")
        return self._engine.match(encoded, memory)


@pytest.mark.parametrize(("count", "rotations"), [(1, "auto"), (1, "fine"), (4, "none"), (4, "auto")])
def test_nothing_is_encoded_twice(engine: OpenVinoEngine, count: int, rotations: str) -> None:
    """Each reference at each angle once, and what chance made; the rest is arithmetic on what is known."""
    watched = Watched(engine)
    memory = enroll(
        cast("Engine", watched), [part(i) for i in range(count)], bundle_id="tiny", rotations=rotations
    )
    angles = TURNS_DEG[memory.rotations]
    tried = 2 * len(TURNS_DEG["fine"]) if count > 1 and rotations == "auto" else 0
    turned = max(2, count) * len(angles) if count > 1 else len(angles)
    distinct = turned + (tried - 2 * len(angles) if tried else 0)
    assert watched.asked.count("encode") == distinct + DEFECTS + (EVERYDAY_VIEWS if count == 1 else 0)


def test_what_is_looked_at_is_a_step_of_its_own(engine: OpenVinoEngine) -> None:
    """Whoever wants only a part of the frame says so in one place: all that follows sees that part alone."""
    images = [part(0), part(1)]
    halves = enroll(engine, [image[:, :56] for image in images], bundle_id="tiny")
    seen = enroll(engine, images, bundle_id="tiny", view=View((112, 112), roi=(0, 0, 56, 112)))
    assert seen.shape == (112, 112) and halves.shape == (112, 56)
    for name, array in halves.arrays.items():
        np.testing.assert_array_equal(array, seen.arrays[name])


def test_defects_are_simulated_as_small_as_they_must_be_seen() -> None:
    """A dot of 9 px on a part of 112 px, in one piece or in more; without such a wish, all sizes."""
    for tiles_view in (View(detail_px=9.0), View(detail_px=9.0, most_looks=1)):
        references = seen_references([part(0), part(1)], tiles_view, (56, 56))
        sizes = [defect.size_fraction for defect in seen_defects(references, seed=0)]
        least = np.pi / 4 * 9**2 / (112 * 112) * references.pieces_each
        assert references.detail_share == pytest.approx(least, rel=0.35), "tiles overlap"
        assert 0.5 * least < np.median(sizes) < 3 * least
        assert {look.typical_defect for look in _defect_looks(references)} == {True, False}
    any_size = seen_references([part(0), part(1)], View(), (56, 56))
    assert any_size.detail_share == 0
    assert max(defect.size_fraction for defect in seen_defects(any_size, seed=0)) > 0.02


def _defect_looks(references: References) -> list[Look]:
    return list(defect_views(references, seen_defects(references, seed=0), np.random.default_rng(0)))
