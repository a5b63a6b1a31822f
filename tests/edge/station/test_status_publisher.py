"""What changes at the station is said on MQTT: once when it begins, once when it is over."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.cameras import FolderSettings, create_camera
from edge.messaging import EmbeddedBroker, MessagingSettings, Publisher
from edge.messaging.settings import BrokerSettings, OutboxSettings
from edge.station.health import Health, Level
from edge.station.run_counters import RunCounters
from edge.station.status_publisher import StatusPublisher
from tests.edge.messaging.brokers import Subscriber, inspection, wait_until
from tests.edge.parts import write_parts


class Beating:
    """A status publisher in a thread, with the counters in the test's hand."""

    def __init__(self, publisher: Publisher, parts: Path) -> None:
        self.health = Health()
        self.counters = RunCounters()
        self.publisher = publisher
        camera = create_camera(FolderSettings(kind="folder", path=parts))
        self._status_publisher = StatusPublisher(
            [camera],
            publisher,
            self.health,
            lambda: self.counters,
            product="plate",
            bundle="b-1",
            engine="openvino int8 on CPU",
        )
        self._thread = threading.Thread(target=self._status_publisher.run)
        self._thread.start()

    def stop(self) -> None:
        self._status_publisher.finish()
        self._thread.join()


class Plc(Subscriber):
    """A subscriber that knows the broker which stations are to be given."""

    broker: BrokerSettings

    def hears_more_beats_than(self, count: int) -> bool:
        return wait_until(lambda: len(self.of("heartbeat")) > count)


@pytest.fixture
def plc() -> Iterator[Plc]:
    with EmbeddedBroker() as broker, Plc(broker.port_v311) as plc:
        plc.broker = broker.settings()
        yield plc


@pytest.fixture
def beating(plc: Plc, tmp_path: Path) -> Iterator[Beating]:
    write_parts(tmp_path / "parts", good=1)
    settings = MessagingSettings(
        site="plant",
        line="a",
        brokers=(plc.broker,),
        heartbeat_s=0.2,
        outbox=OutboxSettings(max_rows=100),
    )
    with Publisher(settings, tmp_path, station="cell-3") as publisher:
        beating = Beating(publisher, tmp_path / "parts")
        yield beating
        beating.stop()


def has(plc: Plc, topic: str, key: str) -> Callable[[object], bool]:
    """Whether a payload with this value has arrived in time."""
    return lambda value: wait_until(lambda: value in [payload[key] for payload in plc.of(topic)])


def test_it_runs_it_beats_and_it_says_when_it_ends(beating: Beating, plc: Plc) -> None:
    assert has(plc, "event", "event")("started")
    assert has(plc, "state", "state")("running")
    assert has(plc, "state", "engine")("openvino int8 on CPU")
    assert wait_until(lambda: len(plc.of("heartbeat")) >= 2)
    beating.counters = RunCounters(total=3, ok=3)
    beating.stop()
    assert has(plc, "event", "text")("3 parts: 3 OK, 0 NG, 0 errors")


def test_a_full_disk_is_an_event_and_stands_in_the_state_until_it_is_over(beating: Beating, plc: Plc) -> None:
    assert has(plc, "state", "state")("running")
    beating.health.set("records", Level.DEGRADED, "The disk is full.")
    assert has(plc, "state", "text")("degraded: records: The disk is full.")
    assert has(plc, "event", "event")("storage_fault")
    beating.health.set("records", Level.OK)
    assert wait_until(lambda: plc.of("state")[-1]["text"] == "")


def test_a_burst_of_overruns_is_one_event(beating: Beating, plc: Plc) -> None:
    for overrun in (1, 4, 9):
        beats = len(plc.of("heartbeat"))
        beating.counters = RunCounters(total=overrun, error=overrun, overrun=overrun)
        assert plc.hears_more_beats_than(beats + 1)
    assert has(plc, "state", "text")(
        "degraded: line: Parts arrive faster than they can be inspected: some are not inspected."
    )
    assert [event["event"] for event in plc.of("event")].count("overrun") == 1


def test_missed_parts_are_told(beating: Beating, plc: Plc) -> None:
    beating.counters = RunCounters(missed=2)
    assert has(plc, "event", "text")("2 parts missed by the camera so far")


def test_messages_that_are_given_up_are_told(beating: Beating, plc: Plc) -> None:
    assert has(plc, "state", "state")("running")
    beating.publisher.publish_inspections([inspection(seq) for seq in range(1, 151)])
    assert has(plc, "event", "event")("outbox_dropped")
    text = next(event["text"] for event in plc.of("event") if event["event"] == "outbox_dropped")
    # Of the hundred that are kept, one or two may be events.
    assert re.match("5[0-2] messages were dropped", text)
