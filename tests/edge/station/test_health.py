"""What breaks is logged once, what is back is logged once, and the worst comes first."""

from __future__ import annotations

import logging

import pytest

from edge.station.health import Health, Level


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
