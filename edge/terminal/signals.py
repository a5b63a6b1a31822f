"""Ctrl-C and SIGTERM as a wish to stop, not as an interruption of whatever is being done."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass(slots=True)
class StopSignal:
    """Which signal asked for the end: its number, or 0 for none."""

    signal: int = 0

    @property
    def interrupted(self) -> bool:
        """Whether a person pressed Ctrl-C."""
        return self.signal == signal.SIGINT


@contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[StopSignal]:
    """Call ``stop`` on the first SIGINT or SIGTERM; a second Ctrl-C interrupts as usual.

    For the main thread. ``stop`` runs between two of its instructions, so it must not wait or lock.
    """
    wish = StopSignal()

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signal module's signature
        wish.signal = number
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
