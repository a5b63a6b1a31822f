"""``watch``: the live topics of a station, or of a whole broker, in words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edge.messaging import MessagingSettings

_PROMPTED = "ANOMALYGPT_EDGE_WATCH_PASSWORD"


@click.command(name="watch")
@click.argument("station", metavar="[STATION.yaml]", required=False, type=click.Path(path_type=Path))
@click.option("--host", help="Name or address of the broker, if there is no station file.")
@click.option("--port", type=click.IntRange(1, 65535), help="Its port.  [default: 8883 with TLS, else 1883]")
@click.option("--tls", is_flag=True, help="Encrypt, and trust the system's certificate authorities.")
@click.option(
    "--ca",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Encrypt, and trust this certificate authority.",
)
@click.option("--username", metavar="NAME", help="Account at the broker; its password is asked for.")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File whose first line is the password.",
)
@click.option("--password-env", metavar="VARIABLE", help="Environment variable with the password.")
@click.option("--protocol", type=click.Choice(["5", "3.1.1"]), help="MQTT version.  [default: 5]")
@click.option(
    "--topic", metavar="FILTER", help="Topics to watch.  [default: the station's topics, else +/+/+/#]"
)
@click.option("--plain", is_flag=True, help="Print one line per message, even in a terminal.")
@click.option(
    "--for", "seconds", type=click.FloatRange(min=0), metavar="SECONDS", help="Stop after this time."
)
def command(
    station: Path | None,
    host: str | None,
    port: int | None,
    tls: bool,
    ca: Path | None,
    username: str | None,
    password_file: Path | None,
    password_env: str | None,
    protocol: str | None,
    topic: str | None,
    plain: bool,
    seconds: float | None,
) -> None:
    """Show the live topics of a station as a table, until Ctrl-C. Nothing is published.

    With a station file, its broker and account are used; --username selects another account, such as the
    viewer's. The column seq shows how many numbers are missing.

    \b
    Examples:
      anomalygpt-edge watch station.yaml
      anomalygpt-edge watch --host 192.168.10.1 --ca ca.crt --username viewer
      anomalygpt-edge watch --host localhost --topic 'spBv1.0/#'
    """
    import time

    from rich.console import Console

    from edge.messaging import Watcher
    from edge.terminal.signals import stop_on_signals
    from edge.terminal.topics_view import TopicsView

    if (station is None) == (host is None):
        raise click.UsageError("Give a station file or --host.")
    if username and not (password_file or password_env):
        os.environ[_PROMPTED] = click.prompt(f"Password of {username}", hide_input=True, err=True)
        password_env = _PROMPTED
    account: dict[str, object] = {
        "username": username,
        "password_file": password_file,
        "password_env": password_env,
    }
    if station is not None:
        settings, own_topics = _of_station(station, account if username else {})
    else:
        settings = _of_options({"host": host, "port": port, **account}, tls or ca is not None, ca)
        own_topics = "+/+/+/#"
    if protocol is not None:
        settings = settings.model_copy(update={"protocol": protocol})
    console = Console()
    live = console.is_terminal and not plain
    ended = False

    def end() -> None:
        nonlocal ended
        ended = True

    deadline = None if seconds is None else time.monotonic() + seconds
    with Watcher(settings, topic or own_topics) as watcher, stop_on_signals(end):
        view = TopicsView(console, watcher)

        shown = view.live() if live else view.plain()
        with shown as show:
            while not ended and (deadline is None or time.monotonic() < deadline):
                show(watcher.messages(timeout_s=0.2))


def _of_station(path: Path, account: dict[str, object]) -> tuple[MessagingSettings, str]:
    """The station's brokers, with another account where one is given, and the filter of its topics."""
    from edge.config import load_station
    from edge.errors import MessagingError
    from edge.messaging import Topics

    config = load_station(path)
    settings = config.messaging
    if not settings.enabled:
        raise MessagingError(f"{path} names no broker.", "Add messaging.brokers, or give --host.")
    brokers = tuple(broker.model_copy(update=account) for broker in settings.brokers)
    topics = Topics(settings.site, settings.line, settings.station or config.station.name)
    return settings.model_copy(update={"brokers": brokers}), f"{topics.prefix}/#"


def _of_options(broker: dict[str, object], encrypted: bool, ca: Path | None) -> MessagingSettings:
    from pydantic import ValidationError

    from edge.messaging import BrokerSettings, MessagingSettings, TlsSettings

    try:
        settings = BrokerSettings(**broker, tls=TlsSettings(ca=ca) if encrypted else None)  # type: ignore[arg-type]
    except ValidationError as error:
        raise click.UsageError(error.errors()[0]["msg"]) from error
    return MessagingSettings(site="any", line="any", brokers=(settings,))
