"""An image belongs to the part that was triggered for it, or to nobody."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest

from edge.cameras.open_trigger import OpenTrigger


def now() -> datetime:
    return datetime.now(timezone.utc)


def test_an_image_in_the_window_is_the_parts_and_ends_the_trigger() -> None:
    trigger = OpenTrigger(window_s=10)
    assert trigger.ask("A1") is None
    assert trigger.part_of(now()) == "A1"
    assert trigger.part_of(now()) is None
    assert trigger.ask("A2") is None


def test_a_second_part_is_told_whose_turn_it_is() -> None:
    trigger = OpenTrigger(window_s=10)
    trigger.ask("A1")
    assert trigger.ask("A2") == "A1"
    assert trigger.part_of(now()) == "A1"


@pytest.mark.parametrize("offset_s", [-1, 11], ids=["before the trigger", "after the window"])
def test_an_image_outside_the_window_is_nobodys_and_the_trigger_stays_open(offset_s: float) -> None:
    trigger = OpenTrigger(window_s=10)
    trigger.ask("A1")
    assert trigger.part_of(now() + timedelta(seconds=offset_s)) is None
    assert trigger.part_of(now()) == "A1"


def test_a_part_without_an_image_is_overdue_once() -> None:
    trigger = OpenTrigger(window_s=0.01)
    trigger.ask("A1")
    time.sleep(0.02)
    assert trigger.overdue() == "A1"
    assert trigger.overdue() is None


def test_a_part_whose_time_is_not_over_is_not_overdue() -> None:
    trigger = OpenTrigger(window_s=10)
    assert trigger.overdue() is None
    trigger.ask("A1")
    assert trigger.overdue() is None
    assert trigger.give_up() == "A1"
    assert trigger.give_up() is None
