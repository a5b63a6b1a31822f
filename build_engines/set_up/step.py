"""One step of a set-up: processes that run one after the other, and say how far they are."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

_PROGRESS = re.compile(r"^progress (\d+)/(\d+)$")
_KEPT_LINES = 40
_END_S = 5.0


def say_progress(done: int, total: int) -> None:
    """Said by a step's process on its standard output, in whatever unit it counts."""
    print(f"progress {done}/{total}", flush=True)


@dataclass(frozen=True, slots=True)
class SetUpStep:
    """What is to be done.

    Attributes:
        name: a word, by which other steps name it.
        title: for the person who waits.
        commands: one after the other; the first that fails ends the step.
        after: names of the steps that must be done before.
        usual_s: seconds that it takes on two cores beside the others, for the first guess of what remains.
        remedy: what to do where it fails, as one sentence.
    """

    name: str
    title: str
    commands: tuple[tuple[str, ...], ...]
    after: tuple[str, ...] = ()
    usual_s: float = 1.0
    remedy: str = ""


class Phase(Enum):
    """Where a step is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True)
class StepProgress:
    """How far a step is.

    Attributes:
        phase: where it is.
        took_s: seconds, as long as it is not running any more.
        processor_s: seconds of processor time of the commands that have ended.
        fraction: of its work, 0 to 1; None where it does not say.
        first: when it first said how far it is, in seconds since it began, and the fraction then.
        lines: the last ones that it printed.
    """

    phase: Phase = Phase.WAITING
    took_s: float = 0.0
    processor_s: float = 0.0
    fraction: float | None = None
    first: tuple[float, float] | None = None
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT_LINES))


class Running:
    """A step under way, in a thread that waits for its processes.

    Args:
        step: what is to be done.
        folder: where its processes run.
        log: everything that they print.
        ended: called once, from the thread, when it is done or has failed.
        environment: of the processes.
    """

    def __init__(
        self,
        step: SetUpStep,
        folder: Path,
        log: Path,
        ended: Callable[[], None],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.step = step
        self.progress = StepProgress(Phase.RUNNING)
        self._folder, self._log, self._ended = folder, log, ended
        self._environment = environment
        self._started_s = time.monotonic()
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"set-up-{step.name}")
        self._thread.start()

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began, or that it took."""
        if self.progress.phase is Phase.RUNNING:
            return time.monotonic() - self._started_s
        return self.progress.took_s

    def stop(self) -> None:
        """Ends its processes, and those that they started; returns when they are gone."""
        with self._lock:
            self._stopped = True
            process = self._process
        if process is not None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(process.pid, number)  # It leads a group of its own.
                except ProcessLookupError:
                    break
                self._thread.join(_END_S)
        self._thread.join()

    def _run(self) -> None:
        try:
            done = all(self._is_done(command) for command in self.step.commands)
        except OSError as error:
            self.progress.lines.append(str(error))
            done = False
        self.progress.took_s = time.monotonic() - self._started_s
        self.progress.phase = Phase.DONE if done else Phase.FAILED
        self._ended()

    def _is_done(self, command: tuple[str, ...]) -> bool:
        with self._log.open("a", encoding="utf-8") as log:
            with self._lock:
                if self._stopped:
                    return False
                self._process = subprocess.Popen(
                    command,
                    cwd=self._folder,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                    start_new_session=True,
                )
            assert self._process.stdout is not None
            with self._process.stdout as lines:
                self._read(lines, log.write)
            return self._waited(self._process) == 0

    def _note(self, fraction: float) -> None:
        self.progress.fraction = fraction
        if self.progress.first is None:
            self.progress.first = (self.elapsed_s, fraction)

    def _waited(self, process: subprocess.Popen[str]) -> int:
        """The exit status; asks the system itself, which tells also what the process used."""
        _, status, used = os.wait4(process.pid, 0)
        self.progress.processor_s += used.ru_utime + used.ru_stime
        process.returncode = os.waitstatus_to_exitcode(status)
        return process.returncode

    def _read(self, lines: Iterable[str], write: Callable[[str], object]) -> None:
        for line in lines:
            said = _PROGRESS.match(line.strip())
            if said is not None:
                done, total = int(said[1]), int(said[2])
                self._note(min(1.0, done / total) if total else 0.0)
            else:
                write(line)
                if line.strip():
                    self.progress.lines.append(line.rstrip())
