"""A broker that answers pings and acknowledges nothing is no broker: it is left, and that is said."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from edge.messaging import AlarmCode, BrokerSettings, LinkState, Publisher, StationState
from tests.edge.messaging.brokers import Mosquitto, Subscriber, inspection, wait_until
from tests.edge.messaging.stalled_broker import StalledBroker

Make = Callable[..., Publisher]


def at(broker: StalledBroker) -> BrokerSettings:
    return BrokerSettings(host="127.0.0.1", port=broker.port)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_the_next_broker_gets_everything_soon(
    mosquitto: Mosquitto, subscriber: Subscriber, publisher: Make, protocol: str
) -> None:
    with StalledBroker(acknowledges=20) as stalled:
        station = publisher(at(stalled), mosquitto.settings(), protocol=protocol, ack_timeout_s=1.0)
        station.set_state(StationState.RUNNING)
        station.publish_inspections([inspection(seq) for seq in range(1, 101)])
        assert wait_until(lambda: len(stalled.seen.of("result")) > 20)
        stalled_at = time.monotonic()
        assert wait_until(lambda: subscriber.seqs_without_repeats()[-1:] == [100])
        assert time.monotonic() - stalled_at < 10
        assert len(stalled.seen.connections) >= 1
        kept = subscriber.seqs_without_repeats()
        assert kept == list(range(kept[0], 101)), "without a hole from the first that was not acknowledged"
        assert station.status().link.broker.endswith(str(mosquitto.port))


def test_the_only_broker_is_asked_again_and_that_is_said(
    publisher: Make, caplog: pytest.LogCaptureFixture
) -> None:
    with StalledBroker() as stalled:
        station = publisher(at(stalled))
        began = time.monotonic()
        station.publish_inspections([inspection(1)])
        assert wait_until(lambda: "acknowledged no message" in station.status().link.reason, 10)
        told_s = time.monotonic() - began
        assert station.status().link.state in (LinkState.CLOSED, LinkState.CONNECTING)
        assert wait_until(lambda: len(stalled.seen.connections) >= 2)
        assert "acknowledged no message for 2.5 s" in caplog.text
    assert told_s < 6, "2.5 s by default, on a machine that others work on"


def test_state_and_replies_do_not_queue_behind_results(publisher: Make) -> None:
    with StalledBroker() as stalled:
        station = publisher(at(stalled), protocol="3.1.1", ack_timeout_s=60, keepalive_s=2)
        station.publish_inspections([inspection(seq) for seq in range(1, 201)])
        assert wait_until(lambda: len(stalled.seen.of("result")) == 32), "the window, and no more"
        station.set_state(StationState.FAULT, text="no camera")
        assert wait_until(lambda: json.loads(stalled.seen.of("state")[-1])["code"] == StationState.FAULT, 5)
        stalled.send(station.topics.command("ack"), b'{"id":"a"}')
        assert wait_until(lambda: stalled.seen.of("reply"), 5)
        station.alarm(AlarmCode.CAMERA, active=True)
        assert wait_until(lambda: stalled.seen.of("alarm"), 5)
        assert wait_until(lambda: stalled.seen.pings), "all the while it answers pings"
        assert len(stalled.seen.of("result")) == 32


def test_a_slow_broker_is_not_left(publisher: Make) -> None:
    """One that acknowledges anything at all is there."""
    with StalledBroker() as slow:
        station = publisher(at(slow), ack_timeout_s=0.8)
        station.publish_inspections([inspection(seq) for seq in range(1, 33)])
        for _ in range(20):
            slow.acknowledges += 1
            time.sleep(0.15)
            station.heartbeat()
            station.set_state(StationState.RUNNING, text=str(time.monotonic()))
        assert len(slow.seen.connections) == 1
