"""A dead disk is not silence: what it refuses goes out from memory, is said, and comes to an end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import MessagingError
from edge.messaging import AlarmCode, EventCode, LinkState, Publisher, StationState
from edge.messaging import outbox_keeper as keeper_module
from edge.messaging.commands import AnsweredCommand
from edge.messaging.outbox import Outbox
from edge.messaging.streams import OutboxEntry, Stream
from tests.edge.messaging.brokers import Mosquitto, Subscriber, inspection, wait_until
from tests.edge.messaging.dead_disk import dead_disk
from tests.edge.messaging.test_outbox import entry, texts

Make = Callable[..., Publisher]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is tried again every second."""
    monkeypatch.setattr(keeper_module, "_FIRST_RETRY_S", 0.2)
    monkeypatch.setattr(keeper_module, "_LONGEST_RETRY_S", 0.4)
    monkeypatch.setattr("edge.messaging.pump._HOUSEKEEPING_S", 0.2)


def test_results_events_and_alarms_go_out_past_a_dead_disk_and_all_is_well_after_it(
    mosquitto: Mosquitto, subscriber: Subscriber, publisher: Make, tmp_path: Path
) -> None:
    station = publisher(mosquitto.settings())
    station.publish_inspections([inspection(1)])
    assert wait_until(lambda: subscriber.seqs() == [1])
    with dead_disk():
        began = time.monotonic()
        station.publish_inspections([inspection(2)])
        station.alarm(AlarmCode.STORAGE, active=True, text="no disk")
        station.event(EventCode.STORAGE_FAULT, "no disk")
        station.set_state(StationState.FAULT, text="no disk")
        assert wait_until(lambda: subscriber.seqs_without_repeats() == [1, 2])
        assert wait_until(lambda: subscriber.of("alarm") and subscriber.of("event"))
        assert wait_until(lambda: subscriber.of("state")[-1]["code"] == StationState.FAULT)
        assert time.monotonic() - began < 3
        status = station.status()
        assert not status.durable and not status.healthy and "disk I/O error" in status.fault
        mosquitto.kill()  # and what waits for a broker waits in memory
        station.publish_inspections([inspection(seq) for seq in range(3, 50)])
    assert wait_until(lambda: station.status().durable)
    assert station.status().fault == ""
    mosquitto.start()
    station.publish_inspections([inspection(50)])
    assert wait_until(lambda: subscriber.seqs_without_repeats() == list(range(1, 51)))
    station.event(EventCode.STOPPED)
    assert wait_until(lambda: subscriber.seqs_without_repeats("event")[-1] == 2)
    assert wait_until(lambda: station.status().waiting == 0)
    station.stop()
    again = Outbox(tmp_path / "data" / "outbox.db")
    assert [again.last_seq(stream) for stream in Stream] == [1, 2, 50]
    again.close()


def test_what_waited_on_the_disk_is_sent_in_its_order(mosquitto: Mosquitto, publisher: Make) -> None:
    station = publisher(mosquitto.settings())
    station.publish_inspections([inspection(seq) for seq in range(1, 101)])  # nobody is there to take them
    with dead_disk():
        station.publish_inspections([inspection(seq) for seq in range(101, 111)])
        assert wait_until(lambda: not station.status().durable)
        assert station.status().waiting == 110
    assert wait_until(lambda: station.status().durable)
    mosquitto.start()
    with Subscriber(mosquitto.port, "plant/#") as subscriber:
        assert wait_until(lambda: station.status().waiting == 0 and subscriber.seqs()[-1:] == [110])
        assert subscriber.seqs_without_repeats() == subscriber.seqs()


def test_it_ends_while_the_disk_is_dead(publisher: Make, mosquitto: Mosquitto) -> None:
    mosquitto.start()
    for _ in range(3):
        station = publisher(mosquitto.settings())
        assert wait_until(lambda: station.status().link.state is LinkState.CONNECTED)  # noqa: B023
        with dead_disk():
            station.event(EventCode.STARTED)
            began = time.monotonic()
            station.stop(1)
            assert time.monotonic() - began < 5


def test_a_command_is_refused_where_it_cannot_be_remembered(
    publisher: Make, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    station = publisher(mosquitto.settings())
    station.event(EventCode.STARTED)
    with dead_disk():
        station.event(EventCode.PAUSED)
        assert wait_until(lambda: not station.status().durable)
        subscriber.client.publish(station.topics.command("ack"), b'{"id":"a"}', qos=1)
        assert wait_until(lambda: subscriber.of("reply"))
        assert subscriber.of("reply")[0]["code"] == 2 and "disk" in subscriber.of("reply")[0]["text"]


def test_a_message_that_cannot_be_a_payload_is_refused_and_no_dead_disk(
    publisher: Make, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    station = publisher(mosquitto.settings())
    too_long = OutboxEntry(Stream.EVENT, station.topics.event, {"k" * 600: 1})
    with pytest.raises(MessagingError, match="does not fit"):
        station._pump.submit([too_long]).result(5)
    station.event(EventCode.STARTED)
    assert wait_until(lambda: subscriber.seqs("event") == [1])
    assert station.status().durable and station.status().healthy


def test_an_outbox_that_is_damaged_while_it_runs_is_set_aside_and_that_is_told(
    publisher: Make, mosquitto: Mosquitto, subscriber: Subscriber, tmp_path: Path
) -> None:
    station = publisher(mosquitto.settings())
    station.publish_inspections([inspection(seq) for seq in range(1, 500)])
    assert wait_until(lambda: station.status().waiting == 0)
    path = tmp_path / "data" / "outbox.db"

    def damage() -> None:
        for file in (path, path.with_name("outbox.db-wal")):  # other blocks than were written
            with file.open("r+b") as opened:
                opened.write(b"\xa5" * file.stat().st_size)
        station._pump.outbox._db.execute("PRAGMA shrink_memory")

    station._pump.ask(damage).result()
    seqs = iter(range(500, 10_000))  # of those that lay on the damaged blocks nobody can tell any more
    assert wait_until(
        lambda: (
            station.publish_inspections([inspection(next(seqs))])  # type: ignore[func-returns-value]
            or EventCode.OUTBOX_RESET in [one["code"] for one in subscriber.of("event")]
        )
    )
    assert wait_until(lambda: station.status().durable and station.status().waiting == 0)
    first = next(seqs)
    station.publish_inspections([inspection(seq) for seq in range(first, first + 50)])
    assert wait_until(lambda: subscriber.seqs_without_repeats()[-50:] == list(range(first, first + 50)))
    assert [file for file in path.parent.iterdir() if ".damaged-" in file.name]


def test_an_outbox_in_memory_goes_on_where_a_file_stands_and_gives_back_what_waits(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    disk = Outbox(path)
    disk.commit([entry(Stream.ALARM, "a1"), *(entry(text=f"r{n}") for n in range(3))])
    disk.remember_command("c", AnsweredCommand("asked", b"{}"))
    first, second, *_ = disk.take(2)
    memory = Outbox(path, in_memory=True)
    memory.adopt(disk, [first.id, second.id])
    disk.close()
    assert memory.commit([entry(Stream.EVENT, "e1"), entry(Stream.ALARM, "a2")]) == [1, 2]
    assert texts(memory.take(10)) == ["a2", "e1", "r1", "r2"]
    assert memory.next_birth() > 0
    assert json.loads(memory.retained()[0][1])["text"] == "a2"
    assert memory.command_answer("c") == AnsweredCommand("asked", b"{}")
    again = Outbox(path)
    memory.release()
    again.adopt(memory, [memory.take(1)[0].id])
    assert texts(again.take(10)) == ["e1", "r1", "r2"]
    assert again.counts().total_rows == 3
    assert again.commit([entry(Stream.EVENT)]) == [2]
    again.close()
    assert texts(Outbox(path).take(2)) == ["e1", "x"]
