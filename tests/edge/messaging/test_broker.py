from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from edge.errors import MessagingError
from edge.messaging import EmbeddedBroker, LinkState, Publisher, StationState
from tests.edge.messaging.brokers import Subscriber, inspection, wait_until


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_the_embedded_broker_carries_a_station(publisher: Callable[..., Publisher], protocol: str) -> None:
    pytest.importorskip("iotcore", reason="the embedded broker is in the extra 'demo'")
    with EmbeddedBroker() as broker, Subscriber(broker.port_v311, "plant/#") as subscriber:
        station = publisher(broker.settings(protocol), protocol=protocol)
        station.set_state(StationState.RUNNING)
        station.publish_inspections([inspection(seq) for seq in range(1, 101)])
        assert wait_until(lambda: len(subscriber.seqs()) == 100)
        assert subscriber.seqs() == list(range(1, 101))
        assert station.flush(5) and station.status().healthy
        station.stop()
        assert wait_until(lambda: subscriber.of("state")[-1]["text"] == "stopped")
        assert station.status().link.state is LinkState.STOPPED


def test_it_listens_on_loopback_alone_and_leaves_nothing_behind() -> None:
    pytest.importorskip("iotcore", reason="the embedded broker is in the extra 'demo'")
    before = set(psutil.Process().children())  # Such as Python's own resource tracker.
    with EmbeddedBroker() as broker:
        children = set(psutil.Process().children()) - before
        addresses = {
            c.laddr.ip for child in children for c in child.net_connections() if c.status == "LISTEN"
        }
        assert addresses == {"127.0.0.1"}
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    broker.stop()


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_iotcore(
        name: str, *args: Any, real: Callable[..., Any] = builtins.__import__, **kwargs: Any
    ) -> Any:
        if name == "iotcore":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_iotcore)
    with pytest.raises(MessagingError, match="demo"):
        EmbeddedBroker().start()
