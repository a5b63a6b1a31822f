"""An image belongs to the part that was triggered for it, or to nobody."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.cameras.open_trigger import OpenTrigger


class Clock:
    """Seconds, in the test's hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def trigger(clock: Clock) -> OpenTrigger:
    return OpenTrigger(window_s=10, clock=clock)


def part_of(trigger: OpenTrigger, at_s: float, missed: int = 0) -> tuple[str, bool] | None:
    """The part of an image, and whether it is surely its own."""
    asked = trigger.part_of(at_s, missed)
    return None if asked is None else (asked.part_id, asked.trusted)


def test_an_image_in_the_window_is_the_parts_and_ends_the_trigger(trigger: OpenTrigger) -> None:
    assert trigger.ask("A1") is None
    assert part_of(trigger, 100.5) == ("A1", True)
    assert trigger.ask("A2") is None
    assert part_of(trigger, 101) == ("A2", True)
    assert part_of(trigger, 101.5) is None


def test_the_acquisition_comes_with_the_part(trigger: OpenTrigger, clock: Clock) -> None:
    trigger.ask("A1", acquisition=4)
    asked = trigger.part_of(101)
    assert asked is not None and asked.acquisition == 4
    clock.now_s = 120
    trigger.ask("A1", acquisition=5)
    clock.now_s = 131
    overdue = trigger.overdue()
    assert overdue is not None and overdue.acquisition == 5


def test_a_second_part_is_told_whose_turn_it_is(trigger: OpenTrigger) -> None:
    trigger.ask("A1")
    assert trigger.ask("A2") == "A1"
    assert part_of(trigger, 101) == ("A1", True)


@pytest.mark.parametrize("at_s", [99, 111], ids=["before the trigger", "after the window"])
def test_an_image_outside_the_window_is_nobodys_and_the_trigger_stays_open(
    trigger: OpenTrigger, at_s: float
) -> None:
    trigger.ask("A1")
    assert part_of(trigger, at_s) is None
    assert part_of(trigger, 101) == ("A1", True)


def test_a_part_without_an_image_is_overdue_once(trigger: OpenTrigger, clock: Clock) -> None:
    assert trigger.overdue() is None
    trigger.ask("A1")
    assert trigger.overdue() is None
    clock.now_s = 110.1
    overdue = trigger.overdue()
    assert overdue is not None and overdue.part_id == "A1"
    assert trigger.overdue() is None


@pytest.mark.parametrize(("missed", "trusted"), [(0, False), (1, True)])
def test_after_an_overdue_part_an_image_may_be_the_late_one_unless_the_camera_counted_it(
    trigger: OpenTrigger, clock: Clock, missed: int, trusted: bool
) -> None:
    trigger.ask("A1")
    clock.now_s = 110.1
    trigger.overdue()
    trigger.ask("A2")
    assert part_of(trigger, 110.5, missed) == ("A2", trusted)
    clock.now_s = 111
    trigger.ask("A3")  # what came for A2 may have been of A1, and A2's is still under way
    assert part_of(trigger, 111.5) == ("A3", trusted)


def test_a_part_long_after_an_overdue_one_is_its_own(trigger: OpenTrigger, clock: Clock) -> None:
    trigger.ask("A1")
    clock.now_s = 110.1
    trigger.overdue()
    clock.now_s = 121
    trigger.ask("A2")
    assert part_of(trigger, 121.5) == ("A2", True)


def test_what_was_triggered_over_a_lost_connection_does_not_come_late(
    trigger: OpenTrigger, clock: Clock
) -> None:
    trigger.ask("A1")
    given_up = trigger.give_up()
    assert given_up is not None and given_up.part_id == "A1"
    assert trigger.give_up() is None
    clock.now_s = 115
    trigger.ask("A2")
    assert part_of(trigger, 115.5) == ("A2", True)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["taken", "taken", "taken", "late", "ignored", "lost"]),
            st.floats(0.01, 0.99),  # from trigger to image, in windows; a late one takes one window more
            st.floats(0.001, 3.0),  # from the end of one trigger to the next, in windows
        ),
        max_size=12,
    )
)
@settings(max_examples=300, deadline=None)
def test_whatever_is_late_ignored_or_lost_no_image_is_another_parts(
    steps: list[tuple[str, float, float]],
) -> None:
    """A camera that takes one image for each trigger that it does not ignore, in their order."""
    clock = Clock()
    trigger = OpenTrigger(window_s=1.0, clock=clock)
    under_way: list[tuple[float, int, bool]] = []  # arrival, part, whether it is lost
    arrived_s, missed, open_part = 0.0, 0, False

    def until(moment_s: float) -> None:
        """Let images arrive, in order, and triggers end."""
        nonlocal missed, open_part
        while under_way and under_way[0][0] <= moment_s:
            at_s, part, lost = under_way.pop(0)
            end_trigger_at(at_s)
            clock.now_s = max(clock.now_s, at_s)
            if lost:
                missed += 1
                continue
            asked = trigger.part_of(at_s, missed)
            missed = 0
            if asked is not None:
                open_part = False
                assert not asked.trusted or asked.part_id == str(part)
        end_trigger_at(moment_s)
        clock.now_s = max(clock.now_s, moment_s)

    def end_trigger_at(moment_s: float) -> None:
        nonlocal open_part
        if open_part and moment_s > asked_s + 1.0:
            clock.now_s = max(clock.now_s, asked_s + 1.001)
            open_part = trigger.overdue() is None

    asked_s = clock.now_s
    for part, (outcome, delay, gap) in enumerate(steps):
        while open_part:
            until(clock.now_s + 0.05)
        until(clock.now_s + gap)
        asked_s = clock.now_s
        assert trigger.ask(str(part)) is None
        open_part = True
        if outcome != "ignored":
            arrived_s = max(arrived_s, asked_s + delay + (outcome == "late"))
            under_way.append((arrived_s, part, outcome == "lost"))
    until(clock.now_s + 5)
