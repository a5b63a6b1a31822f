"""Steps that wait for each other, run as side by side as that allows, and how long they still take."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from build_engines.set_up.step import Phase, Running, SetUpStep, StepProgress
from edge.errors import SourceError

_TICK_S = 0.25
_TELLING = 0.05  # After this share of the work, a step's own pace says more than what is usual.
_COMPLAINT = ("error", "Error", "ERROR")


class SetUpPlan:
    """The steps of one set-up, and where each is.

    Args:
        steps: each after those that it waits for.
        folder: where their processes run.
        logs: a folder for what they print.
        environment: of their processes; None for this one's.

    Raises:
        ValueError: a step waits for one that does not stand before it.
    """

    def __init__(
        self,
        steps: Sequence[SetUpStep],
        folder: Path,
        logs: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        names: set[str] = set()
        for step in steps:
            if not names.issuperset(step.after):
                raise ValueError(
                    f"step {step.name} waits for one that does not stand before it: {step.after}"
                )
            names.add(step.name)
        self.steps = tuple(steps)
        self._folder, self._logs = folder, logs
        self._environment = dict(os.environ if environment is None else environment)
        self._running: dict[str, Running] = {}
        self._changed = threading.Event()

    def progress(self, step: SetUpStep) -> StepProgress:
        """Where a step is."""
        running = self._running.get(step.name)
        return StepProgress() if running is None else running.progress

    def elapsed_s(self, step: SetUpStep) -> float:
        """Seconds that a step has taken so far; 0 before it began."""
        running = self._running.get(step.name)
        return 0.0 if running is None else running.elapsed_s

    def remaining_s(self) -> float:
        """About how long it all still takes: the longest way through what is left."""
        pace = self._pace()
        ends: dict[str, float] = {}
        for step in self.steps:
            begins = max((ends[name] for name in step.after), default=0.0)
            ends[step.name] = begins + self._left_s(step, pace)
        return max(ends.values(), default=0.0)

    def run(self, tick: Callable[[], None]) -> None:
        """Runs every step.

        Args:
            tick: called several times a second, and after each change.

        Raises:
            SourceError: a step failed; the others were ended.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        try:
            while True:
                failed = self._in(Phase.FAILED)
                if failed:
                    raise self._error(failed[0])
                self._start_what_can()
                tick()
                if len(self._in(Phase.DONE)) == len(self.steps):
                    return
                self._changed.wait(_TICK_S)
                self._changed.clear()
        finally:
            for running in self._running.values():
                if running.progress.phase is Phase.RUNNING:
                    running.stop()

    def _in(self, phase: Phase) -> list[SetUpStep]:
        return [step for step in self.steps if self.progress(step).phase is phase]

    def _start_what_can(self) -> None:
        done = {step.name for step in self._in(Phase.DONE)}
        for step in self._in(Phase.WAITING):
            if done.issuperset(step.after):
                log = self._log(step)
                log.unlink(missing_ok=True)
                self._running[step.name] = Running(
                    step, self._folder, log, self._changed.set, self._environment
                )

    def _left_s(self, step: SetUpStep, pace: float) -> float:
        if self.progress(step).phase is Phase.DONE:
            return 0.0
        whole_s = self._whole_s(step) or step.usual_s * pace
        return max(whole_s - self.elapsed_s(step), 0.0)

    def _pace(self) -> float:
        """How much longer than usual this machine takes, as far as that shows; never less than 1."""
        taken_s = usual_s = 0.0
        for step in self.steps:
            done = self.progress(step).phase is Phase.DONE
            whole_s = self.elapsed_s(step) if done else self._whole_s(step)
            if whole_s is not None:
                taken_s += whole_s
                usual_s += step.usual_s
        return max(1.0, taken_s / usual_s) if usual_s else 1.0

    def _whole_s(self, step: SetUpStep) -> float | None:
        """How long a step takes from beginning to end, by its own pace; None where that is not known."""
        progress = self.progress(step)
        if progress.first is None or progress.fraction is None:
            return None
        first_s, first = progress.first
        if progress.fraction - first < _TELLING:
            return None
        return first_s + (self.elapsed_s(step) - first_s) * (1 - first) / (progress.fraction - first)

    def _error(self, step: SetUpStep) -> SourceError:
        lines = list(self.progress(step).lines)
        said = next((line for line in reversed(lines) if line.startswith(_COMPLAINT)), None)
        reason = (said or (lines[-1] if lines else "it gave no reason")).removeprefix("error: ")
        return SourceError(
            f"Set-up stopped at: {step.title}. {reason.rstrip('.')}.",
            f"{step.remedy} The whole output is in {self._log(step)}.".strip(),
        )

    def _log(self, step: SetUpStep) -> Path:
        return self._logs / f"{step.name}.log"
