"""A part is found on a plain ground, wherever it lies; where there is none, nothing is."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bundle import Bundle
from edge.errors import FrameError, ProductError
from edge.vision.enrollment import enroll
from edge.vision.inspector import Inspector
from edge.vision.openvino import OpenVinoEngine
from edge.vision.view import View
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
def inspector(tiny_bundle: Bundle) -> Iterator[Inspector]:
    engine = OpenVinoEngine(tiny_bundle, "fp32", threads=1)
    references = [scene(40, 30), scene(200, 150, seed=1), scene(90, 110, seed=2)]
    yield Inspector(engine, enroll(engine, references, bundle_id="tiny", view=View(locate="crop")))
    engine.close()


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


def test_what_is_ignored_travels_with_the_part(tiny_bundle: Bundle) -> None:
    """The far end of the bar: the stain there is not seen, wherever the part lies."""
    engine = OpenVinoEngine(tiny_bundle, "fp32", threads=1)
    ignore = (((40 + 45, 30), (40 + 79, 30), (40 + 79, 30 + 39), (40 + 45, 30 + 39)),)
    view = View((HEIGHT, WIDTH), ignore=ignore, locate="crop")
    inspector = Inspector(engine, enroll(engine, [scene(40, 30)], bundle_id="tiny", view=view))
    for x, y in ((40, 30), (180, 140)):
        placement = inspector.placed(scene(x, y))
        seen = placement.seen(scene(x, y, stain=True))
        across, down = x + 60 - placement.box[0], y + 20 - placement.box[1]
        assert (seen[down - 6 : down + 7, across - 6 : across + 7] == 128).all()
    engine.close()


@pytest.mark.parametrize(
    ("references", "says"),
    [
        ([scene(40, 30), np.full((HEIGHT, WIDTH, 3), 90, np.uint8)], "Reference 2: no part stands out"),
        ([scene(40, 100, parts=2)], "Reference 1: more than one part"),
    ],
)
def test_references_without_one_part_are_refused(
    tiny_bundle: Bundle, references: list[np.ndarray], says: str
) -> None:
    engine = OpenVinoEngine(tiny_bundle, "fp32", threads=1)
    with pytest.raises(ProductError, match=says):
        enroll(engine, references, bundle_id="tiny", view=View(locate="crop"))
    engine.close()
