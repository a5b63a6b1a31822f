"""How a language worker's process ended, as an error that a person can act on."""

from __future__ import annotations

import signal

from edge.errors import LanguageError
from edge.language.library import REMEDY

#: What a processor raises over an instruction or an address that it does not take.
FATAL = frozenset((signal.SIGILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE))

_CRASHED = f"llama.cpp's code does not run on this machine as it was built. {REMEDY}"
_KILLED = "If nobody killed it, memory ran out: look into the kernel's log (dmesg)."
_ENDED = "What it wrote last stands in the error output (of a service: in its journal)."


def ended(status: int, *, loading: bool, fault: str = "") -> LanguageError:
    """The error that a worker's end is.

    Args:
        status: of the process; negative: minus the number of the signal that ended it.
        loading: it had not loaded its model yet.
        fault: what happened in its kernels, as part of a sentence; empty where nobody has said it.
    """
    how, remedy = f"ended with status {status}", _ENDED
    if status < 0:
        how, remedy = f"was ended by {_signal_name(-status)}", _ENDED
        if -status in FATAL:
            how, remedy = fault or how, _CRASHED
        elif -status == signal.SIGKILL:
            remedy = _KILLED
    when = " while it was loading" if loading else ""
    return LanguageError(f"The language worker {how}{when}.", remedy)


def not_started(error: Exception) -> LanguageError:
    """The error that a process which cannot be started is: no interpreter, no descriptors, no memory."""
    what = getattr(error, "strerror", None) or str(error) or type(error).__name__
    file = getattr(error, "filename", None)
    return LanguageError(
        f"The language worker cannot be started: {f'{file}: ' if file else ''}{what}.",
        "Check the limits of this account (ulimit -a), the free memory, and this Python installation.",
    )


def _signal_name(number: int) -> str:
    try:
        return f"{signal.Signals(number).name} ({signal.strsignal(number)})"
    except ValueError:
        return f"signal {number}"
