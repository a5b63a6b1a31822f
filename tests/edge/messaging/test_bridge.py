"""The bridge that we ship: what stations say goes on to the plant's broker, and no command comes back."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.messaging import LinkState, Publisher
from edge.messaging.certificates import issue
from tests.edge.messaging.brokers import MOSQUITTO, Mosquitto, Subscriber, inspection, wait_until
from tests.edge.messaging.test_tls import CONFIGS, SECRET, Shipped

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")


def bridged(folder: Path, plant: Shipped, pki: Path) -> Mosquitto:
    """The line's broker, with the example of a bridge filled in."""
    text = (CONFIGS / "bridge.conf.example").read_text()
    for old, new in {
        "mqtt.plant.example:8883": f"127.0.0.1:{plant.port}",
        "remote_username line-a": "remote_username viewer",
        "CHANGE-ME": SECRET,
        "/etc/mosquitto/anomalygpt-edge/plant-ca.crt": str(pki / "ca.crt"),
    }.items():
        assert old in text
        text = text.replace(old, new)
    return Mosquitto(folder, text)


def test_the_plant_hears_everything_also_what_was_said_while_it_was_away_and_commands_nobody(
    tmp_path: Path, publisher: Callable[..., Publisher]
) -> None:
    pki, acl = tmp_path / "pki", tmp_path / "acl"
    issue(pki, "broker", ["127.0.0.1"])
    acl.write_text("user viewer\ntopic readwrite #\n")
    plant = Shipped(tmp_path / "plant", pki, **{str(CONFIGS / "acl"): str(acl)})
    historian = Subscriber(plant.port, login=("viewer", SECRET))
    historian.client.tls_set_context(ssl.create_default_context(cafile=str(pki / "ca.crt")))
    with plant, bridged(tmp_path / "line", plant, pki) as line, historian:
        station = publisher(line.settings())
        assert wait_until(lambda: station.status().link.state is LinkState.CONNECTED)
        station.publish_inspections([inspection(1)])
        assert wait_until(lambda: historian.seqs() == [1])
        historian.client.publish("plant/a/cell-3/cmd/pause", '{"id":"from-the-plant"}', qos=1)
        plant.kill()
        station.publish_inspections([inspection(seq) for seq in range(2, 51)])
        plant.start()
        assert wait_until(lambda: historian.seqs_without_repeats() == list(range(1, 51)), 60)
        assert station.status().commands["answered"] == 0
