"""Delivery, against a real mosquitto that is stopped, killed, frozen and missing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.errors import MessagingError
from edge.inspection import Verdict
from edge.messaging import AlarmCode, BrokerSettings, EventCode, LinkState, Publisher, StationState
from edge.messaging.outbox import Outbox
from edge.messaging.streams import Stream
from tests.edge.messaging.brokers import Mosquitto, Subscriber, inspection, wait_until

Make = Callable[..., Publisher]
UNREACHABLE = BrokerSettings(host="127.0.0.1", port=1)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_everything_arrives_once_and_in_order(
    mosquitto: Mosquitto, subscriber: Subscriber, publisher: Make, protocol: str
) -> None:
    station = publisher(mosquitto.settings(), protocol=protocol)
    station.set_state(StationState.RUNNING, product="bottle")
    for n in range(0, 100, 10):
        station.publish_inspections([inspection(seq) for seq in range(n + 1, n + 11)])
    station.event(EventCode.STARTED, "hello")
    station.alarm(AlarmCode.CAMERA, active=True, text="no picture")
    assert wait_until(lambda: len(subscriber.of("result")) == 100 and subscriber.of("alarm"))
    assert subscriber.seqs() == list(range(1, 101))
    assert subscriber.of("event")[0]["text"] == "hello"
    assert subscriber.of("alarm")[0]["mask"] == 1 << (AlarmCode.CAMERA - 1)
    assert subscriber.of("state")[-1]["product"] == "bottle"
    assert station.flush(5) and station.status().waiting == 0
    assert station.status().healthy


def test_an_absent_broker_costs_nothing_and_gets_everything_later(
    mosquitto: Mosquitto, publisher: Make
) -> None:
    station = publisher(mosquitto.settings())
    station.publish_inspections([inspection(seq) for seq in range(1, 51)])
    assert wait_until(lambda: station.status().link.state is LinkState.UNREACHABLE)
    assert "Nothing listens" in station.status().link.reason
    assert station.status().waiting == 50
    mosquitto.start()
    with Subscriber(mosquitto.port, "plant/#") as subscriber:
        station.publish_inspections([inspection(51)])
        assert wait_until(lambda: station.status().waiting == 0)
        station.publish_inspections([inspection(52)])
        assert wait_until(lambda: 52 in subscriber.seqs())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_broker_that_dies_in_the_stream_loses_nothing(
    mosquitto: Mosquitto, subscriber: Subscriber, publisher: Make, number: signal.Signals
) -> None:
    station = publisher(mosquitto.settings())
    total = 300
    for seq in range(1, total + 1):
        station.publish_inspections([inspection(seq)])
        if seq % 100 == 50:
            subscriber.wait_ready()
            mosquitto.kill(number)
        if seq % 100 == 80:  # 30 results later
            mosquitto.start()
    assert wait_until(lambda: len(set(subscriber.seqs())) == total, 30)
    assert subscriber.seqs_without_repeats() == list(range(1, total + 1))


def test_a_frozen_broker_holds_nobody_up(
    mosquitto: Mosquitto, subscriber: Subscriber, publisher: Make
) -> None:
    station = publisher(mosquitto.settings(), keepalive_s=2)
    assert wait_until(lambda: station.status().link.state is LinkState.CONNECTED)
    mosquitto.send(signal.SIGSTOP)
    try:
        for seq in range(1, 201):
            station.publish_inspections([inspection(seq)])  # returns although nobody takes anything
        assert wait_until(lambda: station.status().link.state is not LinkState.CONNECTED)
    finally:
        mosquitto.send(signal.SIGCONT)
    assert wait_until(lambda: len(set(subscriber.seqs())) == 200)
    assert subscriber.seqs_without_repeats() == list(range(1, 201))


def test_a_killed_station_loses_nothing_that_it_had_taken_in(
    tmp_path: Path, subscriber: Subscriber, publisher: Make
) -> None:
    port = subscriber.client.port
    program = [sys.executable, "-m", "tests.edge.messaging.station_process", str(tmp_path / "data")]
    with subprocess.Popen([*program, str(port)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        durable = 0
        while durable < 120:
            durable = int(child.stdout.readline())
        child.kill()
        durable = int((child.stdout.read().split() or [b"%d" % durable])[-1])
    assert wait_until(lambda: any(state["code"] == StationState.OFFLINE for state in subscriber.of("state")))
    station = publisher(BrokerSettings(host="127.0.0.1", port=port))
    assert station.last_result_seq() >= durable
    station.publish_inspections([inspection(station.last_result_seq() + 1)])
    expected = list(range(1, station.last_result_seq() + 1))
    assert wait_until(lambda: len(set(subscriber.seqs())) == len(expected))
    assert subscriber.seqs_without_repeats() == expected


def test_birth_and_death_are_twins_and_a_clean_stop_says_so(
    mosquitto: Mosquitto, subscriber: Subscriber, publisher: Make
) -> None:
    station = publisher(mosquitto.settings())
    station.set_state(StationState.RUNNING)
    assert wait_until(lambda: any(state["code"] == StationState.RUNNING for state in subscriber.of("state")))
    station.stop()
    assert wait_until(lambda: subscriber.of("state")[-1]["code"] == StationState.OFFLINE)
    last = subscriber.of("state")[-1]
    assert last["text"] == "stopped" and last["birth"] == subscriber.of("state")[0]["birth"]
    again = publisher(mosquitto.settings())
    assert wait_until(lambda: subscriber.of("state")[-1]["birth"] > last["birth"])
    assert again.status().link.birth == subscriber.of("state")[-1]["birth"]


def test_an_old_will_is_not_the_last_word(
    mosquitto: Mosquitto, subscriber: Subscriber, publisher: Make
) -> None:
    station = publisher(mosquitto.settings())
    station.set_state(StationState.RUNNING)
    assert wait_until(lambda: any(state["code"] == StationState.RUNNING for state in subscriber.of("state")))
    old = {"birth": station.status().link.birth - 1, "code": 0}
    subscriber.client.publish(station.topics.state, json.dumps(old), qos=1, retain=True)
    assert wait_until(lambda: [state["code"] for state in subscriber.of("state")][-2:] == [0, 2])


def test_state_and_alarm_are_said_again_to_a_broker_that_forgot_them(
    mosquitto: Mosquitto, subscriber: Subscriber, publisher: Make
) -> None:
    station = publisher(mosquitto.settings())
    station.set_state(StationState.PAUSED)
    station.alarm(AlarmCode.NG_SERIES, active=True)
    assert wait_until(lambda: subscriber.of("alarm"))
    assert wait_until(lambda: station.status().waiting == 0)
    mosquitto.kill()
    (mosquitto.folder / "mosquitto.db").unlink()
    mosquitto.start()
    assert wait_until(lambda: station.status().link.state is LinkState.CONNECTED)
    with Subscriber(mosquitto.port, client_id="late") as late:
        assert wait_until(lambda: late.of("alarm") and late.of("state"))
        assert late.of("alarm")[0] == subscriber.of("alarm")[0]
        assert late.of("state")[0]["code"] == StationState.PAUSED


def test_a_heartbeat_is_live_and_carries_the_counters(
    mosquitto: Mosquitto, subscriber: Subscriber, publisher: Make
) -> None:
    station = publisher(mosquitto.settings(), heartbeat_s=0.05)
    station.publish_inspections([inspection(1), inspection(2, Verdict.NG), inspection(3, Verdict.ERROR)])
    assert wait_until(lambda: station.heartbeat() or len(subscriber.of("heartbeat")) > 3)  # type: ignore[func-returns-value]
    counts = [beat["count"] for beat in subscriber.of("heartbeat")]
    assert counts == sorted(set(counts))
    last = subscriber.of("heartbeat")[-1]
    assert (last["total"], last["ok"], last["ng"], last["error"]) == (3, 1, 1, 1)


def test_brokers_are_tried_in_order(tmp_path: Path, mosquitto: Mosquitto, publisher: Make) -> None:
    mosquitto.start()
    with Mosquitto(tmp_path / "second") as second:
        station = publisher(mosquitto.settings(), second.settings())
        assert wait_until(lambda: station.status().link.state is LinkState.CONNECTED)
        assert station.status().link.broker.endswith(str(mosquitto.port))
        mosquitto.kill()
        assert wait_until(lambda: station.status().link.broker.endswith(str(second.port)))
        assert wait_until(lambda: station.status().link.state is LinkState.CONNECTED)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of six megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], check=False).returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> None:
    """Use up the disk to the last block."""
    with (folder / "filler").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(bytes(4096))


def test_on_a_full_disk_the_oldest_results_make_room_and_alarms_stay(
    small_disk: Path, publisher: Make
) -> None:
    station = publisher(UNREACHABLE, data_dir=small_disk)
    station.alarm(AlarmCode.STORAGE, active=True)
    station.event(EventCode.STARTED)
    for n in range(20):
        station.publish_inspections([inspection(n * 50 + k, words="x" * 300) for k in range(1, 51)])
    fill(small_disk)
    for n in range(20, 100):
        station.publish_inspections([inspection(n * 50 + k, words="x" * 300) for k in range(1, 51)])
    station.stop()
    dropped = station.status().dropped
    assert dropped["result"] > 0 and dropped["event"] == dropped["alarm"] == 0
    outbox = Outbox(small_disk / "outbox.db")
    rows = outbox.take(10_000)
    assert [row.stream for row in rows[:2]] == [Stream.ALARM, Stream.EVENT]
    kept = [json.loads(row.payload)["seq"] for row in rows[2:]]
    assert kept == list(range(dropped["result"] + 1, 5001))  # what is left is the newest, without a hole
    outbox.close()


def test_a_disk_too_full_for_anything_is_an_error_and_recovers(small_disk: Path, publisher: Make) -> None:
    station = publisher(UNREACHABLE, data_dir=small_disk)
    fill(small_disk)
    with pytest.raises(MessagingError, match="full") as refusal:
        station.publish_inspections([inspection(seq, words="x" * 300) for seq in range(1, 9000)])
    assert refusal.value.remedy
    assert wait_until(lambda: station.status().fault)
    assert not station.status().healthy
    (small_disk / "filler").unlink()
    station.publish_inspections([inspection(9001)])
    assert wait_until(lambda: station.status().fault == "")


def test_a_stopped_publisher_says_so_instead_of_waiting(publisher: Make) -> None:
    station = publisher(UNREACHABLE)
    station.stop()
    with pytest.raises(MessagingError, match="closed"):
        station.publish_inspections([inspection(1)])


def test_another_thread_may_publish_while_the_broker_flaps(
    mosquitto: Mosquitto, subscriber: Subscriber, publisher: Make
) -> None:
    """Callbacks take no lock that publishing holds: many threads, many reconnects, no deadlock."""
    station = publisher(mosquitto.settings())

    def say() -> None:
        for n in range(50):
            station.event(EventCode.OVERRUN, str(n))
            station.set_state(StationState.RUNNING, text=str(n))
            time.sleep(0.005)

    threads = [threading.Thread(target=say) for _ in range(4)]
    for thread in threads:
        thread.start()
    mosquitto.kill()
    mosquitto.start()
    for thread in threads:
        thread.join()
    assert wait_until(lambda: len(set(subscriber.seqs("event"))) == 200)
    assert subscriber.seqs_without_repeats("event") == list(range(1, 201))


def test_a_neighbour_that_waits_holds_nobody_up(mosquitto: Mosquitto, publisher: Make) -> None:
    station = publisher(mosquitto.settings(), sparkplug={"enabled": True})
    node = station._sparkplug
    assert node is not None
    with node._lock:  # as while its connection takes long to take a message
        for seq in (1, 2):
            station.submit_inspections([inspection(seq, Verdict.NG)])
        assert in_time(lambda: station.alarm(AlarmCode.CAMERA, active=True, text="no picture"))
        assert in_time(station.heartbeat)
        assert in_time(station.acknowledge)
        assert in_time(lambda: station.set_state(StationState.RUNNING))
    assert wait_until(lambda: node._values["Inspection/Sequence"] == 2)
    assert wait_until(lambda: node._values["Alarms/Active"] == 1 << (AlarmCode.CAMERA - 1))


def test_a_callback_may_call_the_station_again(mosquitto: Mosquitto, publisher: Make) -> None:
    mosquitto.start()
    station = publisher(mosquitto.settings())
    called = threading.Event()

    def call_again(_: object) -> None:
        station.alarm(AlarmCode.STORAGE, active=True, text="full")
        station.acknowledge()
        station.submit_inspections([inspection(2)])
        called.set()

    station.submit_inspections([inspection(1)]).add_done_callback(call_again)
    assert called.wait(10)
    called.clear()
    station.stop()
    late = station._pump.enqueue([])  # after the end: whoever comes next turns it away, in its own thread
    late.add_done_callback(call_again)
    assert in_time(lambda: station.alarm(AlarmCode.STORAGE, active=False))
    assert called.is_set()


def in_time(call: Callable[[], object]) -> bool:
    """Whether a call that waits for nobody returns."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(10)
    return not thread.is_alive()


def test_what_was_not_sent_in_time_is_said(
    mosquitto: Mosquitto, publisher: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.messaging.pump._HOUSEKEEPING_S", 0.1)
    mosquitto.start()
    with Subscriber(mosquitto.port, "plant/#") as plc:
        station = publisher(mosquitto.settings(), outbox={"result_ttl_s": 0.2})
        assert wait_until(lambda: station.status().link.state is LinkState.CONNECTED)
        mosquitto.kill()
        station.publish_inspections([inspection(seq) for seq in range(1, 101)])
        assert wait_until(lambda: station.status().expired == 100)
        mosquitto.start()
        assert wait_until(lambda: plc.of("event"))
        (event,) = plc.of("event")
        assert (
            event["code"] == EventCode.EXPIRED
            and "100 results expired before they could be sent" in event["text"]
        )
