"""TLS, accounts and the ACL, with the certificates of our own command and the configuration we ship."""

from __future__ import annotations

import queue
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge.errors import MessagingError
from edge.messaging import AlarmCode, BrokerSettings, LinkState, Publisher, StationState, TlsSettings
from edge.messaging.certificates import issue, make_authority
from tests.edge.messaging.brokers import MOSQUITTO, Mosquitto, free_port, inspection, wait_until

Make = Callable[..., Publisher]
CONFIGS = Path(__file__).parents[3] / "configs" / "mosquitto"
SECRET = "correct-horse"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    issue(folder, "broker", ["localhost", "127.0.0.1"])
    issue(folder, "cell-3")
    return folder


class Shipped(Mosquitto):
    """mosquitto with the configuration that we ship, its paths and port put into a test's folder."""

    def __init__(self, folder: Path, pki: Path, **changes: str) -> None:
        super().__init__(folder)
        passwords = folder / "passwords"
        passwords.touch(0o600)
        for user in ("cell-3", "cell-4", "plc", "viewer"):
            subprocess.run(
                ["mosquitto_passwd", "-b", passwords, user, SECRET], check=True, capture_output=True
            )
        (folder / "secret").write_text(SECRET)
        text = (CONFIGS / "mosquitto.conf").read_text()
        replacements = {
            "listener 8883": f"user root\nlog_type all\nlistener {self.port} 127.0.0.1",
            "/etc/mosquitto/anomalygpt-edge/passwords": str(passwords),
            "/etc/mosquitto/anomalygpt-edge/acl": str(CONFIGS / "acl"),
            "/etc/mosquitto/anomalygpt-edge": str(pki),
            "/var/lib/mosquitto/": f"{folder}/",
            **changes,
        }
        for old, new in replacements.items():
            assert old in text
            text = text.replace(old, new)
        (folder / "mosquitto.conf").write_text(text)

    def account(self, user: str, pki: Path, **tls: Any) -> BrokerSettings:
        return self.settings(
            username=user, password_file=self.folder / "secret", tls=TlsSettings(ca=pki / "ca.crt", **tls)
        )


@pytest.fixture
def shipped(tmp_path: Path, pki: Path) -> Iterator[Shipped]:
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    with Shipped(tmp_path / "shipped", pki) as broker:
        yield broker


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_station_is_at_home_at_the_shipped_broker(
    shipped: Shipped, pki: Path, publisher: Make, protocol: str
) -> None:
    station = publisher(shipped.account("cell-3", pki), protocol=protocol, handshake={"enabled": True})
    station.set_state(StationState.RUNNING)
    station.publish_inspections([inspection(1)])
    station.alarm(AlarmCode.CAMERA, active=True)
    assert wait_until(lambda: station.status().link.state is LinkState.CONNECTED)
    assert wait_until(lambda: station.status().delivered >= 2)
    assert station.flush(5) and station.status().healthy


def answer_to(broker: Shipped, pki: Path, user: str, topic: str) -> str:
    """What the broker answers to a message of a client that logged in; MQTT 5 has a word for it."""
    answers: queue.SimpleQueue[str] = queue.SimpleQueue()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.username_pw_set(user, SECRET)
    client.tls_set(ca_certs=str(pki / "ca.crt"))
    client.on_connect = lambda client, *_: client.publish(topic, b"{}", qos=1)
    client.on_publish = lambda *said: answers.put(str(said[3]))
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        return answers.get(timeout=10)
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.parametrize(
    ("user", "topic", "allowed"),
    [
        ("cell-3", "plant/a/cell-3/result", True),
        ("cell-3", "plant/a/cell-4/result", False),  # another station's
        ("cell-3", "plant/a/cell-3/cmd/trigger", False),  # a station commands nobody, not even itself
        ("plc", "plant/a/cell-3/cmd/trigger", True),
        ("plc", "plant/a/cell-3/cmd/result_ack", True),
        ("plc", "plant/a/cell-3/cmd/reply", False),  # it cannot answer for the station
        ("plc", "plant/a/cell-3/result", False),  # nor make results up
        ("viewer", "plant/a/cell-3/cmd/trigger", False),
        ("viewer", "plant/a/cell-3/state", False),
    ],
)
def test_the_acl_lets_each_role_write_its_own(
    shipped: Shipped, pki: Path, user: str, topic: str, allowed: bool
) -> None:
    answer = answer_to(shipped, pki, user, topic)
    assert answer in (("Success", "No matching subscribers") if allowed else ("Not authorized",))


def test_plain_text_to_a_tls_port_is_said(shipped: Shipped, publisher: Make) -> None:
    station = publisher(shipped.settings(username="cell-3", password_file=shipped.folder / "secret"))
    assert wait_until(lambda: station.status().link.state is LinkState.CLOSED)
    assert "TLS port" in station.status().link.remedy


def test_tls_to_a_plain_port_is_said(mosquitto: Mosquitto, pki: Path, publisher: Make) -> None:
    mosquitto.start()
    station = publisher(mosquitto.settings(tls=TlsSettings(ca=pki / "ca.crt")))
    assert wait_until(lambda: station.status().link.state is LinkState.TLS_ERROR)
    assert "remove 'tls'" in station.status().link.remedy


def test_a_broker_signed_by_another_authority_is_not_trusted(
    shipped: Shipped, tmp_path: Path, publisher: Make
) -> None:
    broker = shipped.account("cell-3", make_authority(tmp_path / "other").parent)
    station = publisher(broker)
    assert wait_until(lambda: station.status().link.state is LinkState.TLS_ERROR)
    assert "authority" in station.status().link.reason and "tls.ca" in station.status().link.remedy


def test_a_broker_under_another_name_is_not_trusted(tmp_path: Path, publisher: Make) -> None:
    pki = tmp_path / "pki"
    issue(pki, "broker", ["mqtt.plant.example"])
    with Shipped(tmp_path / "named", pki) as broker:
        station = publisher(broker.account("cell-3", pki))
        assert wait_until(lambda: station.status().link.state is LinkState.TLS_ERROR)
        assert "is not for '127.0.0.1'" in station.status().link.reason


def test_an_expired_certificate_is_said(tmp_path: Path, publisher: Make) -> None:
    pki = tmp_path / "pki"
    issue(pki, "broker", ["127.0.0.1"], days=-1)
    with Shipped(tmp_path / "expired", pki) as broker:
        station = publisher(broker.account("cell-3", pki))
        assert wait_until(lambda: station.status().link.state is LinkState.TLS_ERROR)
        assert "expired" in station.status().link.reason


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_client_certificate_that_is_asked_for_is_named_or_logs_in(
    tmp_path: Path, pki: Path, publisher: Make, version: str
) -> None:
    needs = {"#require_certificate true": "require_certificate true", "tlsv1.2": f"tlsv{version}"}
    with Shipped(tmp_path / "mutual", pki, **needs) as broker:
        station = publisher(broker.account("cell-3", pki))
        assert wait_until(lambda: station.status().link.state is LinkState.TLS_ERROR)
        assert "tls.certificate" in station.status().link.remedy
        own = {"certificate": pki / "cell-3.crt", "key": pki / "cell-3.key"}
        proven = publisher(broker.account("cell-3", pki, **own), data_dir=tmp_path / "proven")
        assert wait_until(lambda: proven.status().link.state is LinkState.CONNECTED)


@pytest.mark.parametrize("missing", ["ca", "certificate"])
def test_a_missing_file_is_named(missing: str, tmp_path: Path, publisher: Make) -> None:
    broker = BrokerSettings(
        host="127.0.0.1", port=free_port(), tls=TlsSettings.model_validate({missing: tmp_path / "x.pem"})
    )
    station = publisher(broker)
    assert wait_until(lambda: station.status().link.state is LinkState.MISCONFIGURED)
    assert "x.pem" in station.status().link.reason


def test_the_command_makes_what_is_missing_and_keeps_what_is_there(tmp_path: Path) -> None:
    def run(*arguments: str) -> list[str]:
        command = [sys.executable, "-m", "edge", "certificates", str(tmp_path), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    run("--broker", "localhost", "--client", "cell-3")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {f"{name}.{kind}" for name in ("ca", "broker", "cell-3") for kind in ("crt", "key")}
    assert all((tmp_path / name).stat().st_mode & 0o077 == 0 for name in before if name.endswith(".key"))
    run("--broker", "localhost", "--client", "cell-3", "--client", "plc")
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert before.items() <= after.items() and "plc.crt" in after
    run("--broker", "localhost", "--renew")
    assert (tmp_path / "broker.crt").read_bytes() != before["broker.crt"]
    assert (tmp_path / "ca.crt").read_bytes() == before["ca.crt"]


@pytest.mark.parametrize("host", ["", "a,DNS:evil", "a b", "名前"])
def test_a_host_that_is_none_is_refused_and_nothing_is_left(tmp_path: Path, host: str) -> None:
    with pytest.raises(MessagingError, match="not a host name"):
        issue(tmp_path / "pki", "broker", [host])
    assert {path.name for path in (tmp_path / "pki").iterdir()} == {"ca.crt", "ca.key"}
