"""An image is the part's that was announced for it, or it is an error."""

from __future__ import annotations

import math
from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given, settings

from edge.cameras import ArrivalOrder, Frame
from edge.messaging.commands import CommandRefusedError
from edge.station.triggers import MAX_EXPECTED, Triggers
from tests.edge.station.line_model import LINES, Passing, run

START = datetime(2026, 1, 2, tzinfo=timezone.utc)
WINDOW_S = 2.0


class Line:
    """Triggers with a clock in the test's hand."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.triggers = Triggers("top", WINDOW_S, lambda: self.now_s)

    def announce(self, *parts: str) -> None:
        for part in parts:
            self.triggers.expect(part)

    def image(self, at_s: float, error: str = "", missed: int = 0) -> list[tuple[str, str]]:
        """Match an image; part and beginning of the error of each frame that comes of it."""
        self.now_s = max(self.now_s, at_s) if math.isfinite(at_s) else self.now_s
        image = None if error else np.zeros((40, 40), np.uint8)
        return _told(
            self.triggers.match(
                Frame(image, "own-name", "top", START, 1, error, missed=missed, captured_s=at_s)
            )
        )

    def lost(self, at_s: float) -> None:
        """The camera counted an image that never arrived; the next one is to follow."""
        frame = Frame(
            None, "lost-name", "top", START, 1, "never arrived", missed=1, lost=True, captured_s=at_s
        )
        assert self.triggers.match(frame) == []

    def wait(self, until_s: float) -> list[tuple[str, str]]:
        self.now_s = until_s
        return _told(self.triggers.overdue())


def _told(frames: list[Frame]) -> list[tuple[str, str]]:
    assert all((frame.image is None) == bool(frame.error) for frame in frames)
    return [(frame.part_id, frame.error[:24]) for frame in frames]


NO_IMAGE = "Camera top took no image"
STRAY = "Camera top took an image"
AMBIGUOUS = "The image of camera top "
IN_DOUBT = "Camera top and the trigg"
LOST = "Camera top took the imag"


@pytest.fixture
def line() -> Line:
    return Line()


def test_images_belong_to_the_announced_parts_in_their_order(line: Line) -> None:
    line.announce("a")
    assert line.image(0.5) == [("a", "")]
    line.announce("b")
    assert line.image(1.0) == [("b", "")]


def test_an_image_of_either_of_two_parts_makes_both_errors(line: Line) -> None:
    line.announce("a")
    line.now_s = 1.0
    line.announce("b")
    assert line.image(1.3) == [("a", AMBIGUOUS), ("b", AMBIGUOUS), ("own-name", AMBIGUOUS)]


def test_the_order_is_in_doubt_until_the_line_has_rested(line: Line) -> None:
    line.announce("a", "b")
    line.image(0.3)
    line.now_s = 1.0
    line.announce("c")
    assert line.image(1.3) == [("c", IN_DOUBT), ("own-name", IN_DOUBT)]
    line.now_s = 3.2  # 1.9 s after the last image
    line.announce("d")
    assert line.image(3.5) == [("d", IN_DOUBT), ("own-name", IN_DOUBT)]
    line.now_s = 5.6
    line.announce("e")
    assert line.image(5.9) == [("e", "")]


def test_an_image_that_nobody_announced_is_an_error(line: Line) -> None:
    line.announce("a")
    assert line.image(0.6) == [("a", "")]
    assert line.image(0.7) == [("own-name", STRAY)]  # a light barrier that fires twice


def test_an_announcement_that_comes_after_its_image_does_not_take_the_next_one(line: Line) -> None:
    """The network is slow from here on: each announcement comes 0.1 s after its image."""
    for second in range(5):
        assert line.image(second)[-1] == ("own-name", STRAY if second == 0 else IN_DOUBT)
        line.now_s = second + 0.1
        line.announce(f"part-{second}")


def test_a_part_without_an_image_is_an_error_and_the_next_image_is_the_next_parts(line: Line) -> None:
    line.announce("a")
    line.now_s = 2.1
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
    assert line.image(1.1) == [("a", IN_DOUBT), ("own-name", IN_DOUBT)]


def test_images_that_waited_while_the_station_was_busy_belong_to_the_parts_of_their_time(line: Line) -> None:
    line.announce("a")
    line.now_s = 1.0
    line.announce("b")
    line.now_s = 1.5  # only now are the images of 0.4 and 1.4 s taken
    assert line.image(0.4) == [("a", "")]
    assert line.image(1.4) == [("b", "")]


def test_a_frame_with_an_error_is_its_parts_and_keeps_what_it_says(line: Line) -> None:
    line.announce("a")
    assert line.image(0.1, "incomplete") == [("a", "incomplete")]
    assert line.image(0.2, "lost") == [("own-name", "lost")]


def test_an_image_that_the_camera_counted_and_lost_tells_which_part_was_missed(line: Line) -> None:
    line.announce("a", "b")
    line.lost(0.5)
    assert line.image(0.5) == [("a", LOST), ("b", "")]
    line.announce("c")
    assert line.image(1.0) == [("c", "")], "with the count the order was never in doubt"


def test_a_lost_image_may_be_the_only_announced_part(line: Line) -> None:
    line.announce("a")
    line.lost(0.5)
    assert line.image(0.5) == [("a", AMBIGUOUS), ("lost-name", "never arrived"), ("own-name", AMBIGUOUS)]


def test_a_lost_image_of_a_part_that_has_its_error_is_not_told_twice(line: Line) -> None:
    line.announce("a")
    assert line.wait(2.1) == [("a", NO_IMAGE)]
    line.announce("b")
    line.lost(2.4)
    assert line.image(2.4) == [("b", "")]


def test_a_part_that_was_out_of_step_explains_no_lost_image(line: Line) -> None:
    line.image(0.5)  # of part a, before its announcement
    line.now_s = 0.6
    line.announce("a")
    line.now_s = 2.7
    line.announce("b")
    line.lost(3.2)  # of part b, and the image is the next part's
    assert line.image(3.2) == [
        ("a", NO_IMAGE), ("b", AMBIGUOUS), ("lost-name", "never arrived"), ("own-name", AMBIGUOUS),
    ]  # fmt: skip


def test_images_that_the_station_itself_left_out_count_as_lost(line: Line) -> None:
    line.announce("a")
    assert line.image(0.5, missed=1) == [("a", AMBIGUOUS), ("own-name", AMBIGUOUS)]


def test_an_image_of_unknown_time_is_nobodys(line: Line) -> None:
    line.announce("a")
    line.now_s = 0.5
    (part, _), (own, error) = line.image(-math.inf)
    assert (part, own) == ("a", "own-name")
    assert error.startswith("When camera top")


def test_the_acquisition_goes_with_its_part(line: Line) -> None:
    line.triggers.expect("a", acquisition=7)
    frame = Frame(np.zeros((40, 40), np.uint8), "own", "top", START, 1, captured_s=0.1)
    assert [one.acquisition for one in line.triggers.match(frame)] == [7]
    line.now_s = 5.0
    line.triggers.expect("b", acquisition=8)
    line.now_s = 9.0
    assert [(one.part_id, one.acquisition) for one in line.triggers.overdue()] == [("b", 8)]


def test_at_the_end_announced_parts_are_errors_and_no_further_one_is_taken(line: Line) -> None:
    line.announce("a", "b")
    assert _told(line.triggers.end()) == [
        ("a", "The station ended before"),
        ("b", "The station ended before"),
    ]
    assert line.triggers.end() == []
    with pytest.raises(CommandRefusedError, match="The station is shutting down"):
        line.announce("c")


def test_a_plc_that_runs_far_ahead_is_refused(line: Line) -> None:
    line.announce(*map(str, range(MAX_EXPECTED)))
    with pytest.raises(CommandRefusedError, match="Check the camera"):
        line.announce("one more")


@pytest.mark.parametrize(("distance_s", "said"), [(1.0, "announced 1 s apart"), (2.1, "")])
def test_parts_that_come_faster_than_the_window_are_a_trouble(
    line: Line, distance_s: float, said: str
) -> None:
    for number in range(5):
        line.now_s = number * distance_s
        line.announce(str(number))
        line.image(line.now_s + 0.1)
    assert said in line.triggers.trouble
    assert bool(line.triggers.trouble) == bool(said)


def test_a_plc_that_waits_for_each_result_may_be_as_fast_as_it_likes(line: Line) -> None:
    for number in range(1, 6):
        line.now_s = number * 0.5
        line.triggers.expect(str(number), acquisition=number)
        line.image(line.now_s + 0.1)
    assert line.triggers.trouble == ""


# -- whole lines, on which the truth is known --------------------------------------------------------


def every_second(*images: str) -> list[Passing]:
    return [Passing(1.0, 0.0, 0.3, image) for image in images]


@pytest.mark.parametrize("window_s", [0.6, 2.0])
def test_where_nothing_is_missed_every_part_is_judged(window_s: float) -> None:
    outcome = run(every_second(*["good"] * 8), window_s)
    assert outcome.judged == [f"P{number}" for number in range(8)]


def test_a_missed_image_costs_its_own_part_where_the_window_is_short() -> None:
    outcome = run(every_second("good", "good", "missed", "good", "good"), 0.6)
    assert outcome.judged == ["P0", "P1", "P3", "P4"]


def test_a_missed_image_never_gives_the_next_one_its_name() -> None:
    """The window is longer than the distance: wrong for this line, and told; never an ok for another part."""
    outcome = run(every_second("good", "good", "missed", *["good"] * 6), 2.0)
    assert outcome.judged == ["P0", "P1"]
    assert all(frame.error for frame in outcome.frames[2:])


def test_after_a_rest_the_order_is_known_again() -> None:
    line = [*every_second("good", "missed", "good", "good"), Passing(3.0, 0.0, 0.3), Passing(1.0, 0.0, 0.3)]
    assert run(line, 2.0).judged == ["P0", "P4", "P5"]


def holds(line: list[Passing], window_s: float) -> None:
    """No verdict on another part's image, and every announced part comes out once."""
    outcome = run(line, window_s)
    assert outcome.mislabelled == []
    told = [frame.part_id for frame in outcome.frames if frame.part_id != "own-name"]
    assert sorted(told) == sorted(outcome.announced)


@settings(max_examples=300, deadline=None)
@given(LINES)
def test_no_verdict_goes_to_another_part(case: tuple[list[Passing], float]) -> None:
    holds(*case)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@given(LINES)
def test_no_verdict_goes_to_another_part_in_ten_thousand_lines(case: tuple[list[Passing], float]) -> None:
    holds(*case)


def test_a_station_that_never_doubts_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network holds every announcement back by 0.4 s: each image comes before its own."""
    late = [Passing(1.0, 0.4, 0.3) for _ in range(4)]
    assert run(late, 2.0).judged == []
    monkeypatch.setattr(ArrivalOrder, "doubt", lambda _: None)
    assert run(late, 2.0).mislabelled == [("P0", "P1"), ("P1", "P2"), ("P2", "P3")]
