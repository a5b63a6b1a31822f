"""A live table of a broker's topics, each with its latest message in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from edge.messaging import LinkState, Message, TopicView, Watcher

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.table import Table

_REFRESH_HZ = 4

#: A retained topic is as old as it is; one that was silent for so long is shown dim.
_STALE_S = 10.0

_STYLES = (
    ("NG ", "bold red"),
    ("ERROR ", "bold yellow"),
    ("OK ", "green"),
    ("RUNNING", "green"),
    ("FAULT", "bold red"),
    ("OFFLINE", "bold red"),
    ("PAUSED", "yellow"),
)


ShowMessages = Callable[[Sequence["Message"]], None]
"""Shows what arrived; to be called several times a second."""


class TopicsView:
    """Shows what a watcher has seen."""

    def __init__(self, console: Console, watcher: Watcher) -> None:
        self._console = console
        self._watcher = watcher

    @contextmanager
    def live(self) -> Iterator[ShowMessages]:
        """Keep the table on the screen while the block runs, and its last state after it."""
        from rich.live import Live

        with Live(get_renderable=self._render, console=self._console, refresh_per_second=_REFRESH_HZ):
            yield lambda _: None  # the table asks the watcher by itself

    @contextmanager
    def plain(self) -> Iterator[ShowMessages]:
        """For where there is no terminal: a line for each message, and one when the connection changes."""
        told = ""

        def show(messages: Sequence[Message]) -> None:
            nonlocal told
            status = self._watcher.status
            now = " ".join(part for part in (status.state.value, status.broker, status.reason) if part)
            if now != told:
                told = now
                self._console.print(f"# {now}", markup=False, highlight=False, soft_wrap=True)
            for message in messages:
                self._print_line(message)

        yield show

    def _print_line(self, message: Message) -> None:
        at = datetime.fromtimestamp(message.at, timezone.utc)
        kept = " (retained)" if message.retained else ""
        number = "" if message.seq is None else f"{message.seq} "
        self._console.print(
            f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}Z  {message.topic}{kept}  {number}{message.text}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    def _render(self) -> Group:
        from rich.console import Group
        from rich.text import Text

        status = self._watcher.status
        well = status.state is LinkState.CONNECTED
        lines = [
            Text(f" {status.state.value.replace('_', ' ')} {status.broker}", "green" if well else "bold red")
        ]
        lines += [Text(f" {text}") for text in (status.reason, status.remedy) if text]
        lines += [Text(f" {topic}: {why}", "yellow") for topic, why in self._watcher.refusals.items()]
        views = self._watcher.topics()
        if not views:
            lines.append(
                Text(" No message yet. Is the station running, and may this account read its topics?")
            )
        if self._watcher.hidden:
            lines.append(
                Text(f" {self._watcher.hidden} messages of further topics are not shown; see --topic.")
            )
        return Group(self._table(views), *lines)

    def _table(self, views: list[TopicView]) -> Table:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, expand=True)
        table.add_column("topic", no_wrap=True)
        table.add_column("age", justify="right", no_wrap=True, width=6)
        table.add_column("n", justify="right", no_wrap=True)
        table.add_column("seq", justify="right", no_wrap=True)
        table.add_column("latest message", ratio=1)
        now = time.time()
        for view in views:
            message, age_s = view.latest, now - view.latest.at
            table.add_row(
                # As Text: what a topic is called must not be read as markup.
                Text(message.topic),
                Text("kept" if message.retained else _age(age_s), "dim" if age_s > _STALE_S else ""),
                str(view.count),
                Text(_numbers(view), "yellow" if view.missing else ""),
                Text(message.text, _style(message.text), overflow="fold"),
            )
        return table


def _numbers(view: TopicView) -> str:
    """The latest number, and what the numbers before it say."""
    if view.highest is None:
        return ""
    missing = f" ({view.missing} missing)" if view.missing else ""
    repeats = f" ({view.repeats} repeated)" if view.repeats else ""
    return f"{view.highest}{missing}{repeats}"


def _age(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.0f} h"


def _style(text: str) -> str:
    return next((style for beginning, style in _STYLES if text.startswith(beginning)), "")
