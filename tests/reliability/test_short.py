"""What breaks around a station, in short. The figures are the long run's: ``python -m tests.reliability``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.edge.messaging.brokers import MOSQUITTO
from tests.reliability.load import day_without_broker
from tests.reliability.scenarios import SCENARIOS

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")

EVENTS = 400
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs the right to mount and to make networks")


@pytest.mark.parametrize(
    "scenario",
    [
        "broker_sigterm",
        "broker_sigkill",
        "broker_down",
        "broker_flaps",
        "consumer_away",
        "station_sigkill",
        "disk_dead",
        pytest.param("link_cut", marks=[needs_root, pytest.mark.netns]),
        pytest.param("disk_full", marks=needs_root),
        pytest.param("disk_full_broker_away", marks=needs_root),
    ],
)
def test_nothing_is_lost_and_order_is_kept(tmp_path: Path, scenario: str) -> None:
    figures = SCENARIOS[scenario](tmp_path, EVENTS)
    assert figures.faults > 0
    assert (figures.sent, figures.lost, figures.out_of_order, figures.events_lost) == (EVENTS, 0, 0, 0)


def test_a_time_without_a_broker_keeps_all_alarms_in_bounded_room(tmp_path: Path) -> None:
    figures = day_without_broker(tmp_path, 3600, seconds=3600)
    assert figures["alarms raised, kept"] == (6, 6)
    assert figures["dropped"] == 0
    assert figures["on the disk, MB"] < 6
