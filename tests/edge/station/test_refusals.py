"""Why a broker does not take what the station says: each cause by its name, everywhere, without a secret."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge.config import load_station
from edge.messaging.certificates import issue, make_authority
from edge.station.health import Level
from edge.station.opening import opened_station
from tests.edge.commands.conftest import Command, command
from tests.edge.messaging.brokers import MOSQUITTO, wait_until
from tests.edge.messaging.test_tls import CONFIGS, SECRET, Shipped
from tests.edge.parts import write_parts
from tests.edge.station.conftest import MakeStation

__all__ = ["command"]

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")

WRONG_SECRET = "battery-staple"
HOST = "127.0.0.1"

Broker = dict[str, Any]


@dataclass(frozen=True)
class Cause:
    """A broker that is wrong in one way, and the words by which it must be called everywhere.

    Attributes:
        broker: starts it; gives the broker's section of the station file.
        said: what the health, the log and the doctor name.
        remedy: what the doctor advises.
    """

    broker: Callable[[Path], AbstractContextManager[Broker]]
    said: str
    remedy: str


def _section(shipped: Shipped, folder: Path, **changes: Any) -> Broker:
    secret = folder / "secret"
    secret.write_text(SECRET)
    section = {
        "host": HOST,
        "port": shipped.port,
        "username": "cell-3",
        "password_file": str(secret),
        "tls": {"ca": str(folder / "pki" / "ca.crt")},
    }
    return {name: value for name, value in (section | changes).items() if value is not None}


@contextmanager
def wrong_password(folder: Path) -> Iterator[Broker]:
    issue(folder / "pki", "broker", [HOST])
    with Shipped(folder / "broker", folder / "pki") as shipped:
        section = _section(shipped, folder)
        (folder / "secret").write_text(WRONG_SECRET)
        yield section


@contextmanager
def expired_certificate(folder: Path) -> Iterator[Broker]:
    issue(folder / "pki", "broker", [HOST], days=-1)
    with Shipped(folder / "broker", folder / "pki") as shipped:
        yield _section(shipped, folder)


@contextmanager
def wrong_authority(folder: Path) -> Iterator[Broker]:
    issue(folder / "pki", "broker", [HOST])
    other = make_authority(folder / "other")
    with Shipped(folder / "broker", folder / "pki") as shipped:
        yield _section(shipped, folder, tls={"ca": str(other)})


@contextmanager
def plain_text(folder: Path) -> Iterator[Broker]:
    issue(folder / "pki", "broker", [HOST])
    with Shipped(folder / "broker", folder / "pki") as shipped:
        yield _section(shipped, folder, tls=None)


@contextmanager
def forbidden_topic(folder: Path) -> Iterator[Broker]:
    issue(folder / "pki", "broker", [HOST])
    acl = folder / "acl"
    acl.write_text((CONFIGS / "acl").read_text().replace("pattern write +/+/%u/result\n", ""))
    with Shipped(folder / "broker", folder / "pki", **{str(CONFIGS / "acl"): str(acl)}) as shipped:
        yield _section(shipped, folder)


CAUSES = {
    "wrong password": Cause(wrong_password, "refused the login", "Check 'username', the password"),
    "expired certificate": Cause(expired_certificate, "certificate has expired", "Renew it on the broker"),
    "wrong CA": Cause(wrong_authority, "signed by", "Set 'tls.ca' to its CA file"),
    "plain text to a TLS port": Cause(
        plain_text, "closed the connection without an answer", "If this is a TLS port, add 'tls'"
    ),
    "topic forbidden by the ACL": Cause(
        forbidden_topic, "plant/a/cell-3/result: Not authorized", "what it names"
    ),
}


@pytest.mark.parametrize("name", CAUSES)
def test_a_cause_is_called_by_its_name_in_state_doctor_and_one_log_line(
    name: str,
    make_station: MakeStation,
    command: Command,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cause = CAUSES[name]
    caplog.set_level(logging.DEBUG)
    write_parts(tmp_path / "parts", good=1)
    with cause.broker(tmp_path) as broker:
        station = make_station(
            tmp_path / "parts",
            camera={"loop": True, "rate_hz": 10},
            messaging={"brokers": [broker], "retry_min_s": 0.1, "retry_max_s": 0.2},
        )
        with opened_station(load_station(station)) as opened, ThreadPoolExecutor(1) as thread:
            running = thread.submit(opened.run)
            try:
                assert wait_until(lambda: cause.said in str(opened.health))
                time.sleep(1)  # and it is not said again at every attempt
                warnings = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
                condition = opened.health.conditions()["broker"]
                examined = command("doctor", station)
            finally:
                opened.stop()
            running.result()
    assert condition.level is Level.DEGRADED and cause.said in condition.detail
    assert examined.code == 1
    wrong = [line for line in examined.out.splitlines() if line.startswith("WRONG")]
    assert len(wrong) == 1 and cause.said in wrong[0] and cause.remedy in examined.out
    assert len(warnings) == 1 and cause.said in warnings[0]
    written = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    for secret in (SECRET, WRONG_SECRET):
        assert secret not in f"{caplog.text}{examined.out}{examined.err}{condition}"
        assert secret.encode() not in written
