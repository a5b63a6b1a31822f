"""``watch`` shows what is on the broker, reads only, and says plainly why it cannot."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from edge.inspection import Verdict
from edge.messaging import AlarmCode, LinkState, MessagingSettings, Publisher, StationState
from edge.messaging.watcher import MAX_TOPICS, Watcher
from edge.terminal.topics_view import TopicsView
from tests.edge.commands.conftest import Command
from tests.edge.messaging.brokers import Mosquitto, inspection, wait_until
from tests.edge.messaging.conftest import mosquitto, publisher
from tests.edge.messaging.test_tls import Shipped, pki, shipped
from tests.edge.station.conftest import MakeStation

__all__ = ["mosquitto", "pki", "publisher", "shipped"]

Make = Callable[..., Publisher]


@pytest.fixture
def cell(shipped: Shipped, pki: Path, publisher: Make, tmp_path: Path) -> Publisher:
    """A station at the shipped broker that has said something."""
    station = publisher(shipped.account("cell-3", pki), data_dir=tmp_path / "cell")
    station.set_state(StationState.RUNNING, product="bottle")
    station.alarm(AlarmCode.CAMERA, active=True, text="no picture")
    assert wait_until(lambda: station.status().link.state is LinkState.CONNECTED)
    assert station.flush(5)
    return station


@pytest.mark.usefixtures("cell")
def test_a_viewer_sees_a_stations_topics_in_words_and_publishes_nothing(
    command: Command, shipped: Shipped, pki: Path
) -> None:
    done = command(
        *("watch", "--host", "127.0.0.1", "--port", shipped.port, "--ca", pki / "ca.crt"),
        *("--username", "viewer", "--password-file", shipped.folder / "secret", "--for", 1),
    )
    assert (done.code, done.err) == (0, "")
    assert f"# connected 127.0.0.1:{shipped.port}" in done.out
    assert "plant/a/cell-3/state (retained)  RUNNING · bottle" in done.out
    assert "plant/a/cell-3/alarm (retained)  1 camera active, not acknowledged · no picture" in done.out
    log = shipped.log.read_text()
    assert "New client connected" in log and "as watch-" in log
    assert "Received PUBLISH from watch-" not in log and "Will message" not in log.split("as watch-")[1]


@pytest.mark.usefixtures("cell")
def test_a_station_file_is_enough(
    command: Command, shipped: Shipped, pki: Path, make_station: MakeStation, tmp_path: Path
) -> None:
    broker = {
        "host": "127.0.0.1",
        "port": shipped.port,
        "username": "cell-3",
        "password_file": str(shipped.folder / "secret"),
        "tls": {"ca": str(pki / "ca.crt")},
    }
    station = make_station(tmp_path / "parts", messaging={"brokers": [broker]})
    done = command("watch", station, "--for", 1)
    assert done.code == 0 and "plant/a/cell-3/state (retained)  RUNNING" in done.out


def test_a_password_is_asked_for(
    command: Command, shipped: Shipped, pki: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click.prompt", lambda *_, **__: "wrong-password")
    done = command(
        *("watch", "--host", "127.0.0.1", "--port", shipped.port, "--ca", pki / "ca.crt"),
        *("--username", "viewer", "--for", 1),
    )
    assert done.code == 1
    assert done.err.startswith("error: ") and done.err.count("\n") == 1
    assert "refused the login" in done.err and "wrong-password" not in done.err
    del os.environ["ANOMALYGPT_EDGE_WATCH_PASSWORD"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "Give a station file or --host."),
        (("--host", "127.0.0.1", "--port", 1), 1, "Nothing listens on 127.0.0.1:1."),
        (("--host", "127.0.0.1", "--password-env", "X"), 2, "without 'username'"),
        (("--host", "127.0.0.1", "--ca", "no-such.crt"), 1, "no-such.crt cannot be read"),
    ],
)
def test_what_cannot_be_watched_is_said_in_one_line(
    command: Command, arguments: tuple[object, ...], code: int, said: str
) -> None:
    done = command("watch", *arguments, "--for", 1)
    assert done.code == code and said in done.err


@pytest.fixture
def watching(mosquitto: Mosquitto) -> Iterator[Watcher]:
    mosquitto.start()
    with Watcher(MessagingSettings(brokers=(mosquitto.settings(),)), "#") as watcher:
        yield watcher


def table(watcher: Watcher) -> str:
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=160, height=40)
    with TopicsView(console, watcher).live():
        pass
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_shows_the_latest_of_each_topic_and_what_is_missing(
    watching: Watcher, mosquitto: Mosquitto, publisher: Make
) -> None:
    assert "No message yet" in table(watching)
    station = publisher(mosquitto.settings())
    station.publish_inspections([inspection(1), inspection(2), inspection(7, Verdict.NG)])
    assert wait_until(
        lambda: [view.count for view in watching.topics() if "result" in view.latest.topic] == [3]
    )
    text = table(watching)
    assert "connected 127.0.0.1" in text
    row = next(line for line in text.splitlines() if "plant/a/cell-3/result" in line)
    assert "7 (4 missing)" in row and "NG · part-7" in row


def test_a_topic_is_text_and_there_is_an_end_to_them(
    watching: Watcher, mosquitto: Mosquitto, publisher: Make
) -> None:
    station = publisher(mosquitto.settings())
    assert wait_until(lambda: station.status().link.state is LinkState.CONNECTED)
    for number in range(MAX_TOPICS + 5):
        station._pump.ask(partial(station._pump.send_live, f"[red]{number}[/]", b"{}", qos=0))
    assert wait_until(lambda: watching.hidden >= 5)
    assert len(watching.topics()) == MAX_TOPICS
    assert "[red]" in table(watching)


def test_a_connection_that_ends_is_shown_and_comes_back(watching: Watcher, mosquitto: Mosquitto) -> None:
    mosquitto.kill()
    assert wait_until(lambda: watching.status.state is not LinkState.CONNECTED)
    assert "127.0.0.1" in table(watching) and "connected" not in table(watching).split("127.0.0.1")[0]
    mosquitto.start()
    assert wait_until(lambda: watching.status.state is LinkState.CONNECTED)
