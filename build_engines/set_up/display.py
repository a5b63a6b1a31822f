"""What a person sees of a set-up: what is done, what remains, and about how long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from build_engines.set_up.plan import SetUpPlan
from build_engines.set_up.step import Phase, SetUpStep

_MARKS = {
    Phase.WAITING: Text("·", style="dim"),
    Phase.DONE: Text("✓", style="green"),
    Phase.FAILED: Text("✗", style="red"),
}
_LINE_INTERVAL_S = 15.0


class Display:
    """A table in a terminal, which is drawn anew; elsewhere a line now and then.

    Args:
        console: where to.
        plan: of which.
        before_s: seconds that the set-up took before the plan began.
    """

    def __init__(self, console: Console, plan: SetUpPlan, before_s: float = 0.0) -> None:
        self._console, self._plan = console, plan
        self._began_s = time.monotonic() - before_s
        self._spinners = {step.name: Spinner("dots") for step in plan.steps}
        self._told: set[tuple[str, Phase]] = set()
        self._line_s = time.monotonic()
        self._live: Live | None = None

    @property
    def elapsed_s(self) -> float:
        """Seconds since the set-up began."""
        return time.monotonic() - self._began_s

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draws the table while the block runs, where this is a terminal."""
        if not self._console.is_terminal:
            yield
            return
        with Live(self._table(), console=self._console, refresh_per_second=8) as self._live:
            yield

    def tick(self) -> None:
        """Shows how far it is now."""
        if self._live is not None:
            self._live.update(self._table())
            return
        for step in self._plan.steps:
            self._tell(step)
        if time.monotonic() - self._line_s >= _LINE_INTERVAL_S:
            self._say(f"{self._under_way()}; {self._remaining()}")

    def summary(self, before_s: float) -> RenderableType:
        """What each step took, when all are done; ``before_s`` went into the environment itself."""
        table = Table("", "took", "processor", box=None, header_style="dim")
        table.columns[1].justify = table.columns[2].justify = "right"
        table.add_row("Python environment", minutes(before_s), "")
        for step in self._plan.steps:
            progress = self._plan.progress(step)
            table.add_row(step.title, minutes(progress.took_s), minutes(progress.processor_s))
        return table

    def _table(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        for step in self._plan.steps:
            phase, elapsed_s = self._plan.progress(step).phase, self._plan.elapsed_s(step)
            mark = self._spinners[step.name] if phase is Phase.RUNNING else _MARKS[phase]
            style = "dim" if phase is Phase.WAITING else ""
            clock = Text(minutes(elapsed_s) if elapsed_s else "", justify="right")
            table.add_row(mark, Text(step.title, style=style), clock, self._bar(step))
        return Group(table, Text(f"  {minutes(self.elapsed_s)} so far, {self._remaining()}"))

    def _bar(self, step: SetUpStep) -> RenderableType:
        progress = self._plan.progress(step)
        if progress.phase is not Phase.RUNNING or progress.fraction is None:
            return ""
        return ProgressBar(total=1.0, completed=progress.fraction, width=24)

    def _tell(self, step: SetUpStep) -> None:
        phase = self._plan.progress(step).phase
        if phase is Phase.WAITING or (step.name, phase) in self._told:
            return
        self._told.add((step.name, phase))
        if phase is Phase.RUNNING:
            self._say(f"{step.title}: begun; {self._remaining()}")
        else:
            self._say(f"{step.title}: {phase.value} in {minutes(self._plan.elapsed_s(step))}")

    def _say(self, text: str) -> None:
        self._line_s = time.monotonic()
        self._console.print(
            f"{minutes(self.elapsed_s)}  {text}", markup=False, highlight=False, soft_wrap=True
        )

    def _under_way(self) -> str:
        said = []
        for step in self._plan.steps:
            progress = self._plan.progress(step)
            if progress.phase is Phase.RUNNING:
                share = "" if progress.fraction is None else f" {progress.fraction:.0%}"
                said.append(f"{step.title}{share}")
        return ", ".join(said)

    def _remaining(self) -> str:
        left_s = self._plan.remaining_s()
        return f"about {minutes(left_s)} to go" if left_s >= 1 else "nearly done"


def minutes(duration_s: float) -> str:
    """A duration as ``2:05``, minutes and seconds."""
    whole = round(duration_s)
    return f"{whole // 60}:{whole % 60:02}"
