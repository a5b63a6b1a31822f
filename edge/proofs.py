"""Whether this machine really computes what its processor promises: tried in a child, and remembered.

Native code that does not fit a processor kills its process, or gives wrong numbers without a word. So it
is tried once in a process of its own, which does the real work and says whether the result is right; the
outcome is remembered for this machine, so that no later start pays for it again.

A proof is a program: it calls :func:`confine`, does the work and ends with :func:`right` or :func:`wrong`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NoReturn, cast, get_args

from edge.whole_file import write_whole

ProofOutcome = Literal["ok", "crashed", "hung", "wrong", "undecided"]

_log = logging.getLogger(__name__)

_WRONG_STATUS = 3  # 1 and 2 are Python's own for an error and for wrong usage.
# What a process does to itself. SIGKILL and SIGTERM come from others, the kernel short of memory among them.
_OWN_FAULTS = {
    signal.SIGILL,
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGABRT,
    signal.SIGTRAP,
    signal.SIGSYS,
}
# What tells one processor from another in /proc/cpuinfo, on x86 and on ARM.
_IDENTITY = {
    *("vendor_id", "cpu family", "model", "model name", "stepping", "flags"),
    *("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision", "Features"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a proof ended.

    Attributes:
        kind: ``undecided`` where it could not be held, which says nothing of what was to be proved.
        signal: that ended it, such as ``SIGILL``; empty where none did.
        detail: what the proof said of itself, in a few words.
    """

    kind: ProofOutcome
    signal: str = ""
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether it was proved right."""
        return self.kind == "ok"

    def __str__(self) -> str:
        """Such as ``it crashed with SIGILL`` or ``it computes wrong (mean patch cosine 0.41)``."""
        said = {
            "ok": "it was proved",
            "crashed": f"it crashed with {self.signal}",
            "hung": "it hung",
            "wrong": "it computes wrong",
            "undecided": "it could not be tried",
        }[self.kind]
        return f"{said} ({self.detail})" if self.detail else said


class Remembered:
    """Outcomes by name in a small JSON file, which several processes may share.

    A file that cannot be read, or that something else has written, remembers nothing: what it held is
    proved again. An undecided outcome is not kept.

    Args:
        file: where they lie; made when the first outcome is kept.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def get(self, name: str) -> Outcome | None:
        """The outcome of that name; None where none is remembered."""
        return self._read().get(name)

    def keep(self, name: str, outcome: Outcome) -> None:
        """Remembers an outcome; a folder that cannot be written is logged and no error."""
        if outcome.kind == "undecided":
            return
        outcomes = self._read() | {name: outcome}
        text = json.dumps({each: asdict(outcome) for each, outcome in sorted(outcomes.items())}, indent=1)
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.file, text, durable=True)
        except OSError as error:
            _log.warning(
                "%s cannot be written (%s): what was proved now will be proved again at the next start.",
                self.file,
                error.strerror or error,
            )

    def _read(self) -> dict[str, Outcome]:
        try:
            found = json.loads(self.file.read_bytes())
            return {str(name): _outcome(**each) for name, each in found.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}


def _outcome(kind: object, signal: object, detail: object) -> Outcome:
    """An outcome as it was written.

    Raises:
        ValueError: nobody writes such a one.
    """
    if kind not in get_args(ProofOutcome) or not (isinstance(signal, str) and isinstance(detail, str)):
        raise ValueError(f"no outcome: {kind!r}, {signal!r}, {detail!r}")
    return Outcome(cast(ProofOutcome, kind), signal, detail)


def machine_id() -> str:
    """What tells this machine's processors from others, in 16 hexadecimal digits.

    Their models and instruction sets, as the kernel shows them: another processor, or a virtual machine
    that hides an instruction set, is another machine.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    told = {line for line in lines if line.partition(":")[0].strip() in _IDENTITY}
    found = [platform.machine(), platform.processor(), *sorted(told)]
    return hashlib.sha256("\n".join(found).encode()).hexdigest()[:16]


def python_program(module: str, *arguments: str) -> list[str]:
    """The command that runs a module's ``main(*arguments)``; it imports exactly what this process does."""
    start = (
        "import sys, json, importlib; _, module, arguments, *sys.path = sys.argv;"
        "importlib.import_module(module).main(*json.loads(arguments))"
    )
    return [sys.executable, "-I", "-c", start, module, json.dumps(arguments), *sys.path]


def run_proof(command: Sequence[str], timeout_s: float) -> Outcome:
    """Runs a proof to its end and says how it ended; it never raises for what the proof does.

    Args:
        command: program and arguments, such as :func:`python_program` makes.
        timeout_s: after which it has hung, and is killed.
    """
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        return Outcome("hung", detail=f"no answer within {timeout_s:g} s")
    except OSError as error:
        return Outcome("undecided", detail=f"no process could be started: {error.strerror or error}")
    if done.returncode < 0:
        name = _signal_name(-done.returncode)
        if -done.returncode in _OWN_FAULTS:
            return Outcome("crashed", name)
        return Outcome("undecided", name, f"{name} ended it from outside")
    if done.returncode in (0, _WRONG_STATUS):
        return Outcome("wrong" if done.returncode else "ok", detail=_last_line(done.stdout))
    return Outcome("undecided", detail=_last_line(done.stderr) or f"it ended with {done.returncode}")


def confine(longest_s: float) -> None:
    """Makes the process of a proof harmless: it leaves no core file, and ends even where nobody waits.

    Args:
        longest_s: longer than anybody waits for it.
    """
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.setitimer(signal.ITIMER_REAL, longest_s)  # Its SIGALRM also ends what hangs in native code.


def right(detail: str = "") -> NoReturn:
    """Ends a proof: what it tried is right."""
    _end(0, detail)


def wrong(detail: str) -> NoReturn:
    """Ends a proof: what it tried computes wrong."""
    _end(_WRONG_STATUS, detail)


def _end(status: int, detail: str) -> NoReturn:
    print(detail, flush=True)
    # What native libraries do at the end of a process is not what is being proved.
    os._exit(status)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
