"""``doctor`` says who else could read a password or speak in the station's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config import load_station
from edge.messaging import BrokerSettings, MessagingSettings, TlsSettings
from edge.station import secrecy
from edge.station.secrecy import broker_doubts, file_doubts, is_loopback, lets_anybody_in
from tests.edge.commands.conftest import Command, command
from tests.edge.messaging.brokers import MOSQUITTO, Mosquitto
from tests.edge.parts import write_parts
from tests.edge.station.conftest import MakeStation

__all__ = ["command"]


@pytest.mark.parametrize(
    ("host", "here"),
    [
        *(("127.0.0.1", True), ("127.5.0.1", True), ("::1", True), ("localhost", True), ("LOCALHOST", True)),
        *(("10.0.0.1", False), ("broker", False), ("localhost.plant", False), ("fe80::1%eth0", False)),
    ],
)
def test_loopback_is_this_machine(host: str, here: bool) -> None:
    assert is_loopback(host) is here


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
@pytest.mark.parametrize("anonymous", [True, False])
def test_a_broker_that_takes_anybody_is_found(tmp_path: Path, anonymous: bool) -> None:
    with Mosquitto(tmp_path / "broker", anonymous=anonymous) as broker:
        settings = broker.settings(username="cell-3", password_env="NOT_SET_AND_NOT_NEEDED")
        assert (
            lets_anybody_in(MessagingSettings(site="plant", line="a", brokers=(settings,)), settings)
            is anonymous
        )


@pytest.mark.parametrize(
    ("broker", "anonymous", "said"),
    [
        (BrokerSettings(host="10.0.0.1", username="u", password_env="P"), False, ["clear text"]),
        (BrokerSettings(host="10.0.0.1"), True, ["anybody in"]),
        (BrokerSettings(host="b", username="u", password_env="P"), True, ["clear text", "anybody in"]),
        (BrokerSettings(host="b", username="u", password_env="P", tls=TlsSettings()), False, []),
        (BrokerSettings(host="127.0.0.1", username="u", password_env="P"), True, []),  # stays on this machine
    ],
)
def test_what_others_could_hear_or_say(
    broker: BrokerSettings, anonymous: bool, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The visit is tested above with a real broker; an address of another machine is not at hand here."""
    monkeypatch.setattr(secrecy, "lets_anybody_in", lambda *_: anonymous)
    doubts = list(broker_doubts(MessagingSettings(site="plant", line="a", brokers=(broker,)), broker))
    assert len(doubts) == len(said)
    assert all(word in found for word, (found, _) in zip(said, doubts, strict=True))


@pytest.mark.parametrize(("mode", "doubted"), [(0o600, False), (0o640, False), (0o604, True), (0o666, True)])
def test_a_password_that_others_can_read_is_named(
    command: Command, make_station: MakeStation, tmp_path: Path, mode: int, doubted: bool
) -> None:
    write_parts(tmp_path / "parts")
    secret = tmp_path / "secret"
    secret.write_text("tr0ub4dor-and-3\n")
    secret.chmod(mode)
    broker = {"host": "127.0.0.1", "port": 1, "username": "u", "password_file": str(secret)}
    station = make_station(tmp_path / "parts", messaging={"brokers": [broker]})
    assert bool(list(file_doubts(load_station(station)))) is doubted
    out = command("doctor", station).out
    assert ("chmod 0600" in out) is doubted
    assert "tr0ub4dor" not in out
