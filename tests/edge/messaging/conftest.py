from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.messaging import MessagingSettings, Publisher
from tests.edge.messaging.brokers import MOSQUITTO, Mosquitto, Subscriber


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A mosquitto, not started yet."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    broker = Mosquitto(tmp_path / "mosquitto")
    yield broker
    broker.kill()


@pytest.fixture
def subscriber(mosquitto: Mosquitto) -> Iterator[Subscriber]:
    """A PLC-like subscriber of everything, at a started mosquitto."""
    mosquitto.start()
    with Subscriber(mosquitto.port) as connected:
        yield connected


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Callable[..., Publisher]]:
    """Makes started publishers for brokers, and stops them at the end."""
    made: list[Publisher] = []

    def make(*brokers: Any, data_dir: Path = tmp_path / "data", **settings: Any) -> Publisher:
        section = MessagingSettings(
            site="plant", line="a", brokers=brokers, retry_min_s=0.05, retry_max_s=0.2, **settings
        )
        one = Publisher(section, data_dir, station="cell-3")
        made.append(one)
        one.start()
        return one

    yield make
    for one in made:
        one.stop(0.0)
