"""A station as the process that it is: stopped by signals, killed without one."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.config import load_station
from edge.errors import RecordsError
from edge.inspection import Verdict
from edge.records import History
from tests.edge.messaging.brokers import MOSQUITTO, Mosquitto, Subscriber, wait_until

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")


@contextmanager
def running(station: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "edge", "run", str(station), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for_results(process: subprocess.Popen[str], plc: Subscriber, count: int) -> None:
    """Wait until so many results have arrived; a station that ends instead tells why."""
    wait_until(lambda: len(plc.seqs()) >= count or process.poll() is not None, 60)
    assert process.poll() is None, process.communicate()
    assert len(plc.seqs()) >= count


def recorded_seqs(station: Path) -> list[int]:
    found = History(load_station(station).data_dir).query(limit=1_000_000)
    return sorted(record.inspection.seq for record in found)


def recorded_parts(station: Path) -> list[str]:
    """The parts' names in the order of their numbers; none before the station's first start."""
    try:
        found = History(load_station(station).data_dir).query(limit=1_000_000)
    except RecordsError:
        return []
    return [one.part_id for one in sorted((r.inspection for r in found), key=lambda one: one.seq)]


def recorded_verdicts(station: Path) -> list[Verdict]:
    """In the order of their numbers."""
    found = History(load_station(station).data_dir).query(limit=1_000_000)
    return [one.verdict for one in sorted((r.inspection for r in found), key=lambda one: one.seq)]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_cleanly(
    looping: Path, broker: Mosquitto, number: signal.Signals, code: int
) -> None:
    with Subscriber(broker.port) as plc, running(looping) as process:
        wait_for_results(process, plc, 5)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code
        total = int(out.removeprefix("stopped: ").split()[0])
        assert out.startswith(f"stopped: {total} parts: ") and out.count("\n") == 1
        assert "Traceback" not in err
        assert recorded_seqs(looping) == list(range(1, total + 1))
        assert wait_until(lambda: plc.seqs_without_repeats() == list(range(1, total + 1)))
        assert plc.of("state")[-1]["state"] == "offline"


def test_killed_again_and_again_it_leaves_no_gap(looping: Path, broker: Mosquitto) -> None:
    chance = random.Random(0)
    with Subscriber(broker.port) as plc:
        for _ in range(3):
            before = len(plc.seqs())
            with running(looping) as process:
                wait_for_results(process, plc, before + 5)
                time.sleep(chance.uniform(0, 0.2))
                process.kill()
        # The last run's outbox goes out, and what its crash kept from it, when the station is back.
        with running(looping) as process:
            wait_for_results(process, plc, len(plc.seqs()) + 5)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
        seqs = recorded_seqs(looping)
        assert seqs == list(range(1, len(seqs) + 1))
        assert wait_until(lambda: plc.seqs_without_repeats() == seqs)


def test_two_stations_do_not_share_a_data_folder(looping: Path, broker: Mosquitto) -> None:
    with Subscriber(broker.port) as plc, running(looping) as first:
        wait_for_results(first, plc, 1)
        second = subprocess.run(
            [sys.executable, "-m", "edge", "run", str(looping)], capture_output=True, text=True, check=False
        )
    assert second.returncode == 1
    assert "error: Another station" in second.stderr
