"""What breaks is logged once, what is back is logged once, and the worst comes first."""

from __future__ import annotations

import logging

import pytest

from edge.station.health import Health, Level, level_said


def test_a_change_is_logged_and_its_repetition_is_not(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "edge.station.health")
    health = Health()
    assert not health.set("records", Level.OK)
    assert health.set("records", Level.DEGRADED, "The disk is full.")
    assert not health.set("records", Level.DEGRADED, "The disk is full. 12 wait.")
    assert health.set("records", Level.OK)
    assert [record.message for record in caplog.records] == [
        "records: degraded: The disk is full.",
        "records: ok again",
    ]


def test_the_worst_component_says_how_the_station_is() -> None:
    health = Health()
    assert (health.level, str(health)) == (Level.OK, "")
    health.set("broker", Level.DEGRADED, "unreachable")
    health.set("camera", Level.FAULT, "no frames")
    assert health.level is Level.FAULT
    assert str(health) == "fault: camera: no frames; degraded: broker: unreachable"


@pytest.mark.parametrize("level", [Level.DEGRADED, Level.FAULT])
def test_the_level_is_read_back_from_the_words(level: Level) -> None:
    health = Health()
    health.set("camera", level, "default-fault is degraded")
    assert level_said(str(health)) is level


@pytest.mark.parametrize(
    "text", ["", "paused by the PLC", "ok: fault: x", "faultless: yes", "the degraded: part"]
)
def test_words_that_only_hold_a_level_say_none(text: str) -> None:
    assert level_said(text) is Level.OK
