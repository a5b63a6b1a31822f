"""An image is the part's that was announced for it, or it is an error."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cameras import Frame
from edge.messaging.commands import CommandRefusedError
from edge.station.triggers import MAX_EXPECTED, Triggers

START = datetime(2026, 1, 2, tzinfo=timezone.utc)
WINDOW_S = 2.0


class Line:
    """Triggers with a clock in the test's hand."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.triggers = Triggers("top", WINDOW_S, lambda: self._at(self.now_s))

    def announce(self, *parts: str) -> None:
        for part in parts:
            self.triggers.expect(part)

    def image(self, at_s: float, error: str = "") -> list[tuple[str, str]]:
        """Match an image; part and beginning of the error of each frame that comes of it."""
        self.now_s = at_s
        image = None if error else np.zeros((40, 40), np.uint8)
        return _told(self.triggers.match(Frame(image, "own-name", "top", self._at(at_s), 1, error)))

    def wait(self, until_s: float) -> list[tuple[str, str]]:
        self.now_s = until_s
        return _told(self.triggers.overdue())

    def _at(self, seconds: float) -> datetime:
        return START + timedelta(seconds=seconds)


def _told(frames: list[Frame]) -> list[tuple[str, str]]:
    assert all((frame.image is None) == bool(frame.error) for frame in frames)
    return [(frame.part_id, frame.error[:24]) for frame in frames]


NO_IMAGE = "Camera top took no image"
STRAY = "Camera top took an image"


@pytest.fixture
def line() -> Line:
    return Line()


def test_images_belong_to_the_announced_parts_in_their_order(line: Line) -> None:
    line.announce("a", "b")
    assert line.image(0.5) == [("a", "")]
    assert line.image(1.0) == [("b", "")]


def test_an_image_that_nobody_announced_is_an_error(line: Line) -> None:
    assert line.image(0.5) == [("own-name", STRAY)]
    line.announce("a")
    assert line.image(0.6) == [("a", "")]
    assert line.image(0.7) == [("own-name", STRAY)]  # a light barrier that fires twice


def test_a_part_without_an_image_is_an_error_and_the_next_image_is_the_next_parts(line: Line) -> None:
    line.announce("a")
    line.now_s = 1.5
    line.announce("b")
    assert line.image(2.5) == [("a", NO_IMAGE), ("b", "")]
    assert line.wait(10) == []


def test_where_no_image_comes_at_all_the_part_is_an_error_when_its_time_is_over(line: Line) -> None:
    line.announce("a")
    assert line.wait(WINDOW_S) == []
    assert line.wait(WINDOW_S + 0.1) == [("a", NO_IMAGE)]
    assert line.image(WINDOW_S + 0.2) == [("own-name", STRAY)]  # too late: it is not taken for the part's


def test_an_image_from_before_its_announcement_is_not_the_parts(line: Line) -> None:
    line.now_s = 1.0
    line.announce("a")
    assert line.image(0.9) == [("own-name", STRAY)]
    assert line.image(1.1) == [("a", "")]


def test_a_frame_with_an_error_is_its_parts_and_keeps_what_it_says(line: Line) -> None:
    line.announce("a")
    assert line.image(0.1, "incomplete") == [("a", "incomplete")]
    assert line.image(0.2, "lost") == [("own-name", "lost")]


def test_a_plc_that_runs_far_ahead_is_refused(line: Line) -> None:
    line.announce(*map(str, range(MAX_EXPECTED)))
    with pytest.raises(CommandRefusedError, match="Look at the camera"):
        line.announce("one more")


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 3)), max_size=40))
def test_every_announced_part_comes_out_once_and_in_order(steps: list[tuple[bool, float]]) -> None:
    line = Line()
    announced: list[str] = []
    seen: list[tuple[str, str]] = []
    for is_announcement, wait_s in steps:
        line.now_s += wait_s
        if is_announcement:
            announced.append(f"part-{len(announced)}")
            line.announce(announced[-1])
        else:
            seen += line.image(line.now_s)
    seen += line.wait(line.now_s + WINDOW_S + 1)
    assert [part for part, _ in seen if part != "own-name"] == announced
    assert all(error == STRAY for part, error in seen if part == "own-name")
