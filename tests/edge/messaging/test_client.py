"""The connection says what it is: refused is not connected, and no secret is shown anywhere."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.messaging import BrokerSettings, LinkState, MessagingSettings, Publisher, StationState
from edge.messaging.client import Birth, BrokerSession, Client
from tests.edge.messaging.brokers import MOSQUITTO, Mosquitto, Subscriber, free_port, inspection, wait_until

Make = Callable[..., Publisher]
SECRET = "tr0ub4dor-and-3"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Mosquitto]:
    """A mosquitto with accounts and an ACL: ``cell-3`` may write its results and events, no more."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    passwords, acl = tmp_path / "passwords", tmp_path / "acl"
    passwords.touch(0o600)
    for user in ("cell-3", "plc"):
        subprocess.run(["mosquitto_passwd", "-b", passwords, user, SECRET], check=True, capture_output=True)
    acl.write_text(
        "user cell-3\ntopic write plant/a/cell-3/result\ntopic write plant/a/cell-3/event\n"
        "topic read plant/a/cell-3/cmd/#\ntopic read plant/a/cell-3/state\nuser plc\ntopic readwrite #\n"
    )
    extra = f"password_file {passwords}\nacl_file {acl}"
    with Mosquitto(tmp_path / "guarded", extra, anonymous=False) as broker:
        yield broker


def password_file(folder: Path, secret: str) -> Path:
    path = folder / "password"
    path.write_text(secret + "\n")
    return path


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_wrong_password_is_refused_and_not_connected(
    guarded: Mosquitto, publisher: Make, tmp_path: Path, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    broker = guarded.settings(username="cell-3", password_file=password_file(tmp_path, "wrong-" + SECRET))
    station = publisher(broker, protocol=protocol)
    assert wait_until(lambda: station.status().link.state is LinkState.REFUSED)
    link = station.status().link
    assert "refused the login" in link.reason and "password" in link.remedy
    assert not station.status().healthy
    station.publish_inspections([inspection(1)])
    assert wait_until(lambda: guarded.log.read_text().count("disconnected, not authori") >= 3)
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1, "said once, not at every attempt"
    assert (
        SECRET
        not in f"{caplog.text}{station.status()}{station.status().to_dict()}{broker!r}{station.__dict__}"
    )


def test_a_password_from_the_environment_logs_in(
    guarded: Mosquitto, publisher: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("CELL_PASSWORD", SECRET)
    station = publisher(guarded.settings(username="cell-3", password_env="CELL_PASSWORD"))
    assert wait_until(lambda: station.status().link.state is LinkState.CONNECTED)
    assert SECRET not in caplog.text


def test_a_password_that_is_renewed_is_picked_up(guarded: Mosquitto, publisher: Make, tmp_path: Path) -> None:
    path = tmp_path / "password"
    station = publisher(guarded.settings(username="cell-3", password_file=path))
    assert wait_until(lambda: station.status().link.state is LinkState.MISCONFIGURED)
    assert str(path) in station.status().link.reason
    password_file(tmp_path, SECRET)
    assert wait_until(lambda: station.status().link.state is LinkState.CONNECTED)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_topic_that_the_acl_forbids_is_named_and_the_rest_flows(
    guarded: Mosquitto, publisher: Make, tmp_path: Path, protocol: str
) -> None:
    broker = guarded.settings(username="cell-3", password_file=password_file(tmp_path, SECRET))
    station = publisher(broker, protocol=protocol)
    with Subscriber(guarded.port, login=("plc", SECRET)) as plc:
        assert wait_until(lambda: station.status().link.state is LinkState.CONNECTED)
        station.set_state(StationState.RUNNING)
        station.publish_inspections([inspection(1)])
        assert wait_until(lambda: plc.seqs() == [1])
        # MQTT 5 says so; 3.1.1 has no word for it, there the missing echo tells.
        assert wait_until(lambda: station.topics.state in station.status().forbidden)
    assert not station.status().healthy
    assert station.topics.state in str(station.status())


def test_a_forbidden_result_waits_and_is_not_lost(
    guarded: Mosquitto, publisher: Make, tmp_path: Path
) -> None:
    acl = tmp_path / "acl"
    acl.write_text(acl.read_text().replace("plant/a/cell-3/result", "plant/a/cell-3/other"))
    guarded.kill()
    guarded.start()
    broker = guarded.settings(username="cell-3", password_file=password_file(tmp_path, SECRET))
    station = publisher(broker)
    station.publish_inspections([inspection(1), inspection(2)])
    assert wait_until(lambda: station.topics.result in station.status().forbidden)
    assert station.status().waiting == 2


def test_what_is_no_broker_is_told_apart(publisher: Make) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        station = publisher(
            BrokerSettings(host="127.0.0.1", port=silent.getsockname()[1]), connect_timeout_s=0.3
        )
        assert wait_until(lambda: "did not answer the login" in station.status().link.reason)
        assert station.status().link.state is LinkState.UNREACHABLE


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x20\x00",  # a CONNACK without its content
        b"\x20\x03\x00\xee\x00",  # a reason that does not exist
        b"\x20\x7f" + bytes(127),  # properties that run over
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        bytes(range(255)),
    ],
)
def test_a_server_that_talks_nonsense_does_not_end_the_attempts(publisher: Make, nonsense: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        station = publisher(
            BrokerSettings(host="127.0.0.1", port=server.getsockname()[1]), connect_timeout_s=0.3
        )
        server.settimeout(5)
        for _ in range(3):  # it comes again
            connection, _ = server.accept()
            connection.recv(1000)
            connection.sendall(nonsense)
            connection.close()
        assert wait_until(lambda: station.status().link.reason)
        assert station.status().link.state is not LinkState.CONNECTED


def test_a_name_that_nobody_knows_is_said(publisher: Make) -> None:
    station = publisher(BrokerSettings(host="no-such-host.invalid"))
    assert wait_until(lambda: "'no-such-host.invalid' is not known" in station.status().link.reason)


def test_two_stations_with_one_client_id_are_told(
    mosquitto: Mosquitto, publisher: Make, tmp_path: Path
) -> None:
    mosquitto.start()
    first = publisher(mosquitto.settings(), client_id="same")
    assert wait_until(lambda: first.status().link.state is LinkState.CONNECTED)
    publisher(mosquitto.settings(), client_id="same", data_dir=tmp_path / "other")
    assert wait_until(lambda: "same client id" in first.status().link.reason)
    assert "client_id" in first.status().link.remedy


def test_a_broker_of_the_other_version_is_named(publisher: Make) -> None:
    pytest.importorskip("iotcore", reason="the embedded broker is in the extra 'demo'")
    from edge.messaging import EmbeddedBroker

    with EmbeddedBroker() as broker:
        station = publisher(broker.settings("3.1.1"), protocol="5")
        assert wait_until(
            lambda: station.status().link.state not in (LinkState.CONNECTING, LinkState.CONNECTED)
        )
        assert "closed the connection" in station.status().link.reason


def test_waits_grow_to_their_limit_and_differ() -> None:
    settings = MessagingSettings(
        brokers=(BrokerSettings(host="127.0.0.1", port=free_port()),), retry_min_s=0.5, retry_max_s=30.0
    )
    client = Client(settings, client_id="x", subscriptions=[], prepare=_unused, listener=_unused)  # type: ignore[arg-type]
    for rounds, longest in ((0, 0.5), (1, 0.5), (2, 1.0), (4, 4.0), (7, 30.0), (10_000, 30.0)):
        waits = {client._pause_s(rounds) for _ in range(50)}
        assert longest / 2 <= min(waits) and max(waits) <= longest and len(waits) > 10


def _unused() -> None:
    raise AssertionError


class Blocking:
    """A listener that waits, within each call, for another thread to publish over the same connection."""

    def __init__(self) -> None:
        self.stuck: list[str] = []
        self.calls: list[str] = []

    def _publish_elsewhere(self, call: str, session: BrokerSession) -> None:
        self.calls.append(call)
        if call != "link_down" and self.calls.count(call) == 1:
            other = threading.Thread(target=session.publish, args=(f"plant/{call}", b"{}"), daemon=True)
            other.start()
            other.join(5)
            if other.is_alive():
                self.stuck.append(call)

    def link_up(self, session: BrokerSession) -> None:
        self._publish_elsewhere("link_up", session)

    def link_down(self, session: BrokerSession) -> None:
        self._publish_elsewhere("link_down", session)

    def acknowledged(self, session: BrokerSession, mid: int, refusal: str) -> None:
        del mid, refusal
        self._publish_elsewhere("acknowledged", session)

    def subscribed(self, session: BrokerSession, refusals: dict[str, str]) -> None:
        del refusals
        self._publish_elsewhere("subscribed", session)

    def received(self, session: BrokerSession, topic: str, payload: bytes, retained: bool) -> None:
        del topic, payload, retained
        self._publish_elsewhere("received", session)


def test_a_listener_may_wait_for_others_that_publish(mosquitto: Mosquitto) -> None:
    mosquitto.start()
    listener = Blocking()
    settings = MessagingSettings(site="plant", line="a", brokers=(mosquitto.settings(),))
    client = Client(
        settings, client_id="c", subscriptions=["plant/#"], prepare=lambda: Birth(1), listener=listener
    )
    client.start()
    assert wait_until(lambda: {"acknowledged", "received", "subscribed"} <= set(listener.calls), 40)
    client.stop()
    assert listener.stuck == [], "called with a lock of paho's held"
    assert (listener.calls[0], listener.calls[-1]) == ("link_up", "link_down")


_FLOOD = """
import sys
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="flood")
client.connect("127.0.0.1", int(sys.argv[1]), 60)
client.loop_start()
for _ in range(4):
    client.publish("plant/a/cell-3/cmd/trigger", bytes(100_000_000), qos=1).wait_for_publish(60)
client.disconnect()
client.loop_stop()
"""


def resident_mb() -> int:
    (size_kb,) = [
        line.split()[1]
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmRSS")
    ]
    return int(size_kb) // 1000


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_command_of_100_megabytes_costs_neither_memory_nor_heartbeats(
    mosquitto: Mosquitto, publisher: Make, protocol: str
) -> None:
    mosquitto.start()
    station = publisher(mosquitto.settings(), protocol=protocol, heartbeat_s=0.1)
    with Subscriber(mosquitto.port, "plant/a/cell-3/heartbeat") as plc:
        assert wait_until(lambda: station.status().link.state is LinkState.CONNECTED)
        before_mb, peak_mb, silent_s = resident_mb(), 0, 0.0
        flood = subprocess.Popen([sys.executable, "-c", _FLOOD, str(mosquitto.port)])
        called_at = time.monotonic()
        while flood.poll() is None:
            station.heartbeat()
            silent_s = max(silent_s, time.monotonic() - called_at)
            called_at = time.monotonic()
            peak_mb = max(peak_mb, resident_mb())
            time.sleep(0.02)
        assert flood.returncode == 0
        assert peak_mb - before_mb < 60
        assert silent_s < 2, "whoever beats is not held up"
        count = len(plc.of("heartbeat"))
        station.publish_inspections([inspection(1)])

        def delivered() -> bool:
            station.heartbeat()
            return station.status().waiting == 0 and len(plc.of("heartbeat")) > count

        assert wait_until(delivered), "the station goes on"


def test_a_packet_that_is_too_long_is_named(mosquitto: Mosquitto, publisher: Make) -> None:
    mosquitto.start()
    station = publisher(mosquitto.settings(), protocol="3.1.1")
    assert wait_until(lambda: station.status().link.state is LinkState.CONNECTED)
    with Subscriber(mosquitto.port, "nothing", client_id="flood") as flood:
        topic = "plant/a/cell-3/cmd/trigger"
        # Retained, so that it comes again with each connection: that is what must be said.
        flood.client.publish(topic, bytes(200_000), qos=1, retain=True).wait_for_publish(10)
        assert wait_until(lambda: "bytes came in" in station.status().link.reason)
        assert "message_size_limit" in station.status().link.remedy
        flood.client.publish(topic, b"", qos=1, retain=True).wait_for_publish(10)
        assert wait_until(lambda: station.status().link.state is LinkState.CONNECTED)
