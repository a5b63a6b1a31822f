"""A whole station on a disk that dies, and on one that gave back other bytes than it was given."""

from __future__ import annotations

import json
import signal
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge.clock import confirm_date
from edge.config import load_station
from edge.inspection import Verdict, utc_timestamp
from edge.messaging import AlarmCode, EventCode, StationState
from edge.messaging.outbox import Outbox
from edge.messaging.streams import Stream
from edge.records import Entry, History, Records, RecordsSettings
from edge.station.writer import BACKLOG
from tests.edge.messaging.brokers import MOSQUITTO, Mosquitto, Subscriber, inspection, wait_until
from tests.edge.messaging.dead_disk import dead_disk
from tests.edge.station.test_process import running, wait_for_results

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")


@pytest.fixture
def rate_hz() -> float:
    return 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_dead_disk_is_told_results_go_on_and_it_ends_when_it_is_told_to(
    looping: Path, broker: Mosquitto, number: signal.Signals
) -> None:
    with Subscriber(broker.port) as plc, running(looping) as process:
        wait_for_results(process, plc, 5)
        with dead_disk(process.pid):
            began, before = time.monotonic(), len(plc.seqs())
            assert wait_until(lambda: plc.of("state")[-1]["code"] == StationState.FAULT)
            told_s = time.monotonic() - began
            assert wait_until(lambda: AlarmCode.STORAGE in [alarm["code"] for alarm in plc.of("alarm")])
            assert wait_until(lambda: EventCode.STORAGE_FAULT in [one["code"] for one in plc.of("event")])
            assert wait_until(lambda: len(plc.seqs()) > before + 20), "results go on"
            assert "disk I/O error" in plc.of("state")[-1]["text"]
            seqs = plc.seqs_without_repeats()
            assert seqs == list(range(1, seqs[-1] + 1))
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
        assert "Traceback" not in err
        assert process.returncode == 1, "inspections are not recorded, and that is no success"
        assert wait_until(lambda: plc.of("state")[-1]["code"] == StationState.OFFLINE)
    assert told_s < 10, "0.6 s where nobody else works on the machine"


def test_a_disk_that_comes_back_ends_the_fault_and_takes_what_waited(
    looping: Path, broker: Mosquitto
) -> None:
    with Subscriber(broker.port) as plc, running(looping) as process:
        wait_for_results(process, plc, 5)
        with dead_disk(process.pid):
            assert wait_until(lambda: plc.of("state")[-1]["code"] == StationState.FAULT)
        assert wait_until(lambda: plc.of("state")[-1]["code"] == StationState.RUNNING, 60)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        seqs = History(load_station(looping).data_dir).after(0, 100_000)
        assert wait_until(lambda: plc.seqs_without_repeats() == [one.seq for one in seqs])
        assert [one.seq for one in seqs] == list(range(1, len(seqs) + 1))


def test_a_damaged_outbox_and_a_damaged_history_are_set_aside_and_the_line_goes_on(
    looping: Path, broker: Mosquitto
) -> None:
    data_dir = load_station(looping).data_dir
    with Subscriber(broker.port) as plc:
        with running(looping) as process:
            wait_for_results(process, plc, 5)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
        before = plc.seqs_without_repeats()[-1]
        for name in ("outbox.db", "records.sqlite"):
            (data_dir / name).write_bytes(b"\xa5" * 50_000)
        with running(looping) as process:
            assert wait_until(lambda: plc.seqs_without_repeats()[-1] > before + 5, 60), process.poll()
            events = [one["code"] for one in plc.of("event")]
            assert {EventCode.OUTBOX_RESET, EventCode.RECORDS_RESET} <= set(events)
            assert AlarmCode.STORAGE in [alarm["code"] for alarm in plc.of("alarm")]
            assert plc.seqs_without_repeats("event")[-1] == plc.seqs("event")[-1], "none is dropped"
            assert plc.of("state")[-1]["code"] == StationState.RUNNING
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
    assert len(list(data_dir.glob("*.damaged-*"))) >= 2


@pytest.mark.parametrize("published", [0, 7])
def test_after_a_crash_all_that_waited_for_the_outbox_is_published(
    looping: Path, broker: Mosquitto, published: int
) -> None:
    """The outbox refused what the records took, up to what the writer holds in memory, and then the kill."""
    data_dir, waited = load_station(looping).data_dir, BACKLOG
    with Records(data_dir, RecordsSettings(min_free_gb=0)) as records:
        made = [inspection(seq, Verdict.NG) for seq in range(1, published + waited + 1)]
        records.append_all([Entry(one) for one in made])
    outbox = Outbox(data_dir / "outbox.db")
    outbox.begin_after(Stream.RESULT, published)
    outbox.close()
    last = published + waited
    with Subscriber(broker.port) as plc, running(looping) as process:
        assert wait_until(lambda: plc.seqs()[-1:] and plc.seqs()[-1] > last, 100), process.poll()
        assert plc.seqs_without_repeats()[: waited + 1] == list(range(published + 1, last + 2))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def test_what_was_inspected_before_there_was_a_broker_is_not_published_late(
    looping: Path, broker: Mosquitto
) -> None:
    with Records(load_station(looping).data_dir, RecordsSettings(min_free_gb=0)) as records:
        records.append_all([Entry(inspection(seq)) for seq in range(1, 101)])
    with Subscriber(broker.port) as plc, running(looping) as process:
        wait_for_results(process, plc, 3)
        assert plc.seqs()[0] == 101
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def test_a_station_whose_date_jumped_deletes_nothing_says_so_and_asks(
    looping: Path, broker: Mosquitto
) -> None:
    data_dir = load_station(looping).data_dir
    before_the_jump = datetime.now(timezone.utc) - timedelta(days=740)
    captured = utc_timestamp(before_the_jump - timedelta(days=30))
    with Records(data_dir, RecordsSettings(min_free_gb=0)) as records:
        records.append_all([Entry(inspection(seq, captured_at=captured)) for seq in range(1, 11)])
    kept = {"boot": "", "steady_s": 0, "station_s": before_the_jump.timestamp(), "believed_ahead_s": 0}
    (data_dir / "clock.json").write_text(json.dumps(kept))
    with Subscriber(broker.port) as plc, running(looping) as process:
        wait_for_results(process, plc, 5)
        assert wait_until(lambda: "date has jumped by +740 days" in plc.of("state")[-1]["text"])
        assert plc.of("state")[-1]["code"] == StationState.RUNNING
        assert wait_until(lambda: EventCode.STORAGE_FAULT in [one["code"] for one in plc.of("event")])
        assert [one.seq for one in History(data_dir).after(0, 100)[:10]] == list(range(1, 11))
        confirm_date(data_dir)
        assert wait_until(lambda: plc.of("state")[-1]["text"] == "")
        assert wait_until(lambda: History(data_dir).after(0, 100)[0].seq > 10)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
