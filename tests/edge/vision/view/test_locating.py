"""A part is found on a plain ground, wherever it lies; where there is none, nothing is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import FrameError, ProductError
from edge.inspection import Region, Verdict
from edge.vision.enrollment import enroll
from edge.vision.inspector import Inspector
from edge.vision.openvino import OpenVinoEngine
from edge.vision.view import Placement, View
from edge.vision.view.locating import locate

HEIGHT, WIDTH = 240, 320


def scene(x: int, y: int, *, seed: int = 0, stain: bool = False, parts: int = 1) -> np.ndarray:
    """A bar with a disc at one end, 80 x 40, its upper left corner at (x, y), on a grey sheet."""
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for number in range(parts):
        left = x + 100 * number
        cv2.rectangle(image, (left, y + 10), (left + 79, y + 29), (210, 215, 220), -1)
        cv2.circle(image, (left + 20, y + 20), 19, (10, 20, 40), -1)
        if stain:
            cv2.circle(image, (left + 60, y + 20), 6, (20, 20, 20), -1)
    noise = np.random.default_rng(seed).normal(0, 2, image.shape)
    return np.asarray(np.clip(image + noise, 0, 255), np.uint8)


@pytest.fixture(scope="module")
def inspector(engine: OpenVinoEngine) -> Inspector:
    references = [scene(40, 30), scene(200, 150, seed=1), scene(90, 110, seed=2)]
    return Inspector(engine, enroll(engine, references, bundle_id="tiny", view=View(locate="crop")))


@given(x=st.integers(5, WIDTH - 90), y=st.integers(5, HEIGHT - 50), grey=st.booleans())
@settings(deadline=None, max_examples=40)
def test_a_part_is_found_wherever_it_lies(x: int, y: int, grey: bool) -> None:
    image = scene(x, y)
    found = locate(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if grey else image)
    assert found is not None and found.is_clear and found.others == 0
    left, top, width, height = found.box
    assert abs(left - x) < 6 and abs(top - y) < 6
    assert abs(width - 80) < 10 and abs(height - 40) < 10


@given(x=st.integers(5, WIDTH - 90), y=st.integers(5, HEIGHT - 50))
@settings(deadline=None, max_examples=30)
def test_a_part_is_judged_alike_wherever_it_lies(inspector: Inspector, x: int, y: int) -> None:
    good, stained = inspector.inspect(scene(x, y, seed=9)), inspector.inspect(scene(x, y, seed=9, stain=True))
    assert good.score < stained.score
    assert any(
        region.x <= x + 60 <= region.x + region.width and region.y <= y + 20 <= region.y + region.height
        for region in stained.regions
    )


@given(x=st.integers(-70, WIDTH - 10), y=st.integers(-30, HEIGHT - 10))
@settings(deadline=None, max_examples=30)
def test_whatever_is_found_lies_in_the_image(inspector: Inspector, x: int, y: int) -> None:
    """Also of a part that is half out of it."""
    try:
        finding = inspector.inspect(scene(x, y, stain=True))
    except FrameError:
        return
    assert np.isfinite(finding.map).all()
    for region in finding.regions:
        assert 0 <= region.x < region.x + region.width <= WIDTH
        assert 0 <= region.y < region.y + region.height <= HEIGHT


def test_without_a_part_in_view_there_is_no_verdict(inspector: Inspector) -> None:
    with pytest.raises(FrameError, match="no part in view"):
        inspector.inspect(np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    with pytest.raises(FrameError, match="no part in view"):
        inspector.inspect(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))
    with pytest.raises(FrameError, match="more than one part in view"):
        inspector.inspect(scene(40, 100, parts=2))
    assert inspector.warm_up().map.shape == inspector.inspect(scene(40, 30)).map.shape


SIDE = 400


def turned_scene(
    angle_deg: float, middle: tuple[float, float] = (SIDE / 2, SIDE / 2), *, stain: bool = False
) -> np.ndarray:
    """A pin with a head, 160 x 40, turned clockwise about its middle, on a grey sheet."""
    flat = np.full((SIDE, SIDE, 3), 90, np.uint8)
    cv2.rectangle(flat, (140, 190), (279, 209), (210, 215, 220), -1)
    cv2.rectangle(flat, (120, 180), (149, 219), (150, 160, 170), -1)
    if stain:
        cv2.circle(flat, (220, 200), 8, (20, 20, 160), -1)
    turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), -angle_deg, 1.0)
    turn[:, 2] += np.subtract(middle, SIDE / 2)
    image = cv2.warpAffine(flat, turn, (SIDE, SIDE), flags=cv2.INTER_AREA, borderValue=(90, 90, 90))
    return np.asarray(image, np.uint8)


ANGLES = st.floats(-180, 180)
MIDDLES = st.tuples(st.floats(120, SIDE - 120), st.floats(120, SIDE - 120))


@given(angle_deg=ANGLES, middle=MIDDLES)
@settings(deadline=None, max_examples=60)
def test_the_axis_of_a_part_points_to_its_tip(angle_deg: float, middle: tuple[float, float]) -> None:
    found = locate(turned_scene(angle_deg, middle))
    assert found is not None and found.is_clear
    off = (found.turned.angle_deg - angle_deg + 180) % 360 - 180
    assert abs(off) < 2
    assert abs(found.turned.width - 160) < 8 and abs(found.turned.height - 40) < 8
    assert np.hypot(*np.subtract(found.turned.middle, middle)) < 4
    assert found.turned.elongation > 3


@given(angle_deg=ANGLES, middle=MIDDLES, finest=st.sampled_from([None, (448, 448), (60, 60)]))
@settings(deadline=None, max_examples=60)
def test_there_and_back_is_the_same_place_in_a_turned_box(
    angle_deg: float, middle: tuple[float, float], finest: tuple[int, int] | None
) -> None:
    """The stain is where it was, seen upright; and what is found there lies on it in the image."""
    box = round(middle[0]) - 100, round(middle[1]) - 60, 200, 120
    placement = Placement(box, (SIDE, SIDE), View(locate="align"), angle_deg, finest)
    image = turned_scene(angle_deg, (box[0] + 100, box[1] + 60), stain=True)
    seen = placement.seen(image)
    scale = np.array([seen.shape[1] / 200, seen.shape[0] / 120])
    red = seen[:, :, 2].astype(int) - seen[:, :, 0]
    rows, columns = np.nonzero(red > 70)
    assert np.allclose((np.array([columns.mean(), rows.mean()]) + 0.5) / scale, (120, 60), atol=1)

    across, down = placement.regions([Region(118, 58, 4, 4, 16, 1.0)])[0], np.nonzero(stained(image))
    assert abs(across.x + across.width / 2 - down[1].mean()) < 1.5
    assert abs(across.y + across.height / 2 - down[0].mean()) < 1.5

    peak = np.zeros((60, 60), np.float32)
    peak[24:36, 32:40] = 1  # around (120, 60) of 200 x 120
    framed = placement.framed(peak)
    rows, columns = np.nonzero(framed > 0.3)
    back = (np.array([columns.mean(), rows.mean()]) + 0.5) * SIDE / 60
    assert np.hypot(*(back - [down[1].mean(), down[0].mean()])) < 5


def stained(image: np.ndarray) -> np.ndarray:
    return np.asarray(image[:, :, 2].astype(int) - image[:, :, 0] > 70)


@given(angle_deg=ANGLES, middle=MIDDLES)
@settings(deadline=None, max_examples=20)
def test_a_part_is_judged_alike_however_it_is_turned(
    aligned: Inspector, angle_deg: float, middle: tuple[float, float]
) -> None:
    good = aligned.inspect(turned_scene(angle_deg, middle))
    bad = aligned.inspect(turned_scene(angle_deg, middle, stain=True))
    assert good.score < bad.score and bad.verdict is Verdict.NG
    marked = np.nonzero(stained(turned_scene(angle_deg, middle, stain=True)))
    x, y = marked[1].mean(), marked[0].mean()
    assert any(r.x <= x <= r.x + r.width and r.y <= y <= r.y + r.height for r in bad.regions)


@pytest.fixture(scope="module")
def aligned(engine: OpenVinoEngine) -> Inspector:
    references = [turned_scene(angle, middle) for angle, middle in ((0, (200, 200)), (77, (150, 240)))]
    references += [turned_scene(-140, (220, 180)), turned_scene(30, (180, 200))]
    return Inspector(engine, enroll(engine, references, bundle_id="tiny", view=View(locate="align")))


def test_a_part_without_a_long_axis_cannot_be_turned_by_it(
    aligned: Inspector, engine: OpenVinoEngine
) -> None:
    assert str(aligned.memory.view) == "the part, found and turned in the whole image"
    disc = np.full((SIDE, SIDE, 3), 90, np.uint8)
    cv2.circle(disc, (200, 200), 60, (220, 220, 220), -1)
    with pytest.raises(ProductError, match="hardly longer than wide"):
        enroll(engine, [disc], bundle_id="tiny", view=View(locate="align"))


def test_what_is_ignored_turns_with_the_part(engine: OpenVinoEngine) -> None:
    """Around the stain, written in the pixels of a reference that lies askew."""
    rows, columns = np.nonzero(stained(turned_scene(40, stain=True)))
    x, y = int(columns.mean()), int(rows.mean())
    ignore = (((x - 14, y - 14), (x + 14, y - 14), (x + 14, y + 14), (x - 14, y + 14)),)
    view = View((SIDE, SIDE), ignore=ignore, locate="align")
    inspector = Inspector(engine, enroll(engine, [turned_scene(40)], bundle_id="tiny", view=view))
    for angle_deg, middle in ((40.0, (200.0, 200.0)), (-100.0, (180.0, 230.0)), (170.0, (220.0, 190.0))):
        image = turned_scene(angle_deg, middle, stain=True)
        assert not stained(inspector.placed(image).seen(image)).any()


def test_what_is_ignored_travels_with_the_part(engine: OpenVinoEngine) -> None:
    """The far end of the bar: the stain there is not seen, wherever the part lies."""
    ignore = (((40 + 45, 30), (40 + 79, 30), (40 + 79, 30 + 39), (40 + 45, 30 + 39)),)
    view = View((HEIGHT, WIDTH), ignore=ignore, locate="crop")
    inspector = Inspector(engine, enroll(engine, [scene(40, 30)], bundle_id="tiny", view=view))
    for x, y in ((40, 30), (180, 140)):
        placement = inspector.placed(scene(x, y))
        seen = placement.seen(scene(x, y, stain=True))
        across, down = x + 60 - placement.box[0], y + 20 - placement.box[1]
        assert (seen[down - 6 : down + 7, across - 6 : across + 7] == 128).all()


@pytest.mark.parametrize(
    ("references", "says"),
    [
        ([scene(40, 30), np.full((HEIGHT, WIDTH, 3), 90, np.uint8)], "Reference 2: no part stands out"),
        ([scene(40, 100, parts=2)], "Reference 1: more than one part"),
    ],
)
def test_references_without_one_part_are_refused(
    engine: OpenVinoEngine, references: list[np.ndarray], says: str
) -> None:
    with pytest.raises(ProductError, match=says):
        enroll(engine, references, bundle_id="tiny", view=View(locate="crop"))
