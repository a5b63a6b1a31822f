"""A live table of the last parts with the counters below it; on no terminal, one line per part."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.inspection import Inspection, Verdict
from edge.plain_text import one_line
from edge.station.run_counters import RunCounters

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.table import Table
    from rich.text import Text

    from edge.station.judging import Judged

_STYLES = {Verdict.OK: "green", Verdict.NG: "bold red", Verdict.ERROR: "bold yellow"}
_ROWS = 12
_REFRESH_HZ = 8


class PartsView:
    """Shows parts as they are kept; a listener of the station.

    Args:
        title: above the table.
        total: parts to come, for a progress; None where nobody knows.
        footer: gives further lines below the counters, asked for at each refresh.
    """

    def __init__(
        self, console: Console, title: str, total: int | None = None, footer: Callable[[], str] = str
    ) -> None:
        self._console = console
        self._title = title
        self._total = total
        self._footer = footer
        self._counters: Callable[[], RunCounters] = RunCounters
        self._last: deque[Inspection] = deque(maxlen=_ROWS)

    def count(self, counters: Callable[[], RunCounters]) -> None:
        """Take the counters from there."""
        self._counters = counters

    @contextmanager
    def live(self) -> Iterator[None]:
        """Keep the table on the screen while the block runs, and its last state after it."""
        from rich.live import Live

        with Live(
            get_renderable=self._render,
            console=self._console,
            refresh_per_second=_REFRESH_HZ,
            transient=False,
        ):
            yield

    def add(self, judged: Judged) -> None:
        """Show one more part in the table."""
        self._last.append(judged.inspection)

    def hear(self, inspection: Inspection) -> None:
        """Show a part's sentence, where the part is in the table still."""
        for place, shown in enumerate(self._last):
            if shown.id == inspection.id:
                self._last[place] = inspection

    def print_words(self, inspection: Inspection) -> None:
        """Print a part's sentence as a line of text."""
        self._console.print(
            f"{inspection.seq:>5}  {one_line(inspection.part_id):<20}  {one_line(inspection.words)}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    def print_line(self, judged: Judged) -> None:
        """Print one part as a line of text, for where there is no live table."""
        print_part(self._console, judged.inspection)

    def _render(self) -> Group:
        from rich.console import Group
        from rich.text import Text

        counters = Text.from_markup(counters_markup(self._counters(), self._total))
        return Group(self._parts(), self._remark(), counters, Text(self._footer(), style="dim"))

    def _remark(self) -> Text:
        """What was last said of a part, in full: a narrow table's row has no room for a sentence."""
        from rich.text import Text

        said = (
            (one_line(one.part_id), one_line(one.error or one.words)) for one in reversed(tuple(self._last))
        )
        return Text(next((f" {part_id}: {text}\n" for part_id, text in said if text), ""))

    def _parts(self) -> Table:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        table = Table(
            title=self._title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, expand=True
        )
        table.add_column("seq", justify="right", style="dim", no_wrap=True)
        table.add_column("part", no_wrap=True, ratio=2)
        table.add_column("verdict", no_wrap=True, width=7)
        table.add_column("score", justify="right", no_wrap=True, width=7)
        table.add_column("where", ratio=3, no_wrap=True)
        table.add_column("ms", justify="right", no_wrap=True, width=6)
        table.add_column("wait", justify="right", no_wrap=True, width=5)
        for inspection in tuple(self._last):
            table.add_row(
                str(inspection.seq),
                # As Text: what a part is called must not be read as markup.
                Text(one_line(inspection.part_id)),
                Text(verdict_text(inspection), style=_STYLES[inspection.verdict]),
                *map(Text, _figures(inspection)),
            )
        for _ in range(_ROWS - len(self._last)):
            table.add_row()
        return table


def print_part(console: Console, inspection: Inspection) -> None:
    """One line of plain text, aligned with its neighbours."""
    score, where, ms, waited = _figures(inspection)
    console.print(
        f"{inspection.seq:>5}  {one_line(inspection.part_id):<20}  {verdict_text(inspection):<7}  "
        f"{score:>6}  {ms:>6} ms  waited {waited:>4} ms  {where}".rstrip(),
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def verdict_text(inspection: Inspection) -> str:
    """``OK``, ``NG`` or ``ERROR``; with a question mark where a person should look at the part."""
    return inspection.verdict.value.upper() + (" ?" if inspection.review else "")


def score_text(score: float) -> str:
    """A score with two digits, and no minus before a zero."""
    return f"{round(score, 2) + 0.0:.2f}"


def counters_markup(counters: RunCounters, total: int | None) -> str:
    """The counters as rich markup, coloured where they are not zero."""

    def part(count: int, name: str, style: str) -> str:
        return f"[{style}]{count} {name}[/]" if count else f"[dim]0 {name}[/]"

    of = "" if total is None else f" of {total}"
    line = "   ".join(
        [
            f" [bold]{counters.total}[/]{of} parts",
            part(counters.ok, "OK", "green"),
            part(counters.ng, "NG", "bold red"),
            part(counters.error, "errors", "bold yellow"),
            part(counters.overrun, "overruns", "bold yellow"),
        ]
    )
    return f"{line}\n [dim]{counters.times}[/]"


def _figures(inspection: Inspection) -> tuple[str, str, str, str]:
    """Score, place and words (or what went wrong), milliseconds that the verdict took, and that the part
    waited for it before; as text, empty where there is none.

    The place comes first: where a line is cut, it is what must be read.
    """
    took_ms = inspection.took_ms
    return (
        "" if inspection.score is None else score_text(inspection.score),
        one_line(inspection.error or "  ".join(filter(None, (inspection.location, inspection.words)))),
        "" if took_ms is None else f"{took_ms:.0f}",
        "" if took_ms is None else f"{inspection.waited_ms:.0f}",
    )
