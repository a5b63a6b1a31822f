"""A station ends when it is told to, whatever hangs.

Python runs a signal's handler between two instructions of the main thread, which is the inspector's:
while that waits in a driver, no handler is ever run. So a thread of its own is woken by the signal
itself, and counts.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.exit_codes import EXIT_ERROR

if TYPE_CHECKING:
    from edge.station.pipeline import Station

log = logging.getLogger(__name__)

ENDING_S = 20.0
"""After a signal: what was captured is inspected, kept and sent; then the process is gone."""

#: For the rest of an ending whose inspector hangs: its parts are written down as errors.
_ABANDONING_S = 3.0

#: So long may an inspection that seems to hang go on after the signal; it may only be slow.
_PATIENCE_S = 5.0

_POLL_S = 0.1

#: A program in which no other thread gets on for so long is ended from below Python.
_FROZEN_S = 15


class Ending:
    """Ends the process ``limit_s`` after the signal that asked for it, if it has not ended by itself.

    Where the inspection hangs it does not wait for that: the part and those behind it become errors.

    Attributes:
        alarm: what the signal writes its number into.
    """

    def __init__(self, limit_s: float = ENDING_S) -> None:
        self._limit_s = limit_s
        self._station: Station | None = None
        self._over = threading.Event()
        self._woken, self.alarm = os.pipe()
        for end in (self._woken, self.alarm):
            os.set_blocking(end, False)

    def of(self, station: Station) -> None:
        """The station to be ended."""
        self._station = station

    def watch(self) -> None:
        """Until :meth:`finish`; for a thread of its own."""
        told_s: float | None = None
        rearmed_s = 0.0
        while not self._over.wait(_POLL_S):
            now_s = time.monotonic()
            if self._station is not None and now_s >= rearmed_s + 1:
                # A native call that keeps the interpreter's lock stops every thread, this one too.
                faulthandler.dump_traceback_later(_FROZEN_S, exit=True, file=2)
                rearmed_s = now_s
            if self._was_told():
                told_s = told_s or now_s
                if self._station is not None:
                    self._station.stop()
            if told_s is None:
                continue
            hang = self._station.hang if self._station is not None else ""
            if hang and now_s > told_s + _PATIENCE_S:
                self._end(f"{hang} It ends without that part.")
            elif now_s > told_s + self._limit_s:
                self._end(f"The station did not end within {self._limit_s:g} s.")

    def finish(self) -> None:
        """The process ends by itself."""
        self._over.set()

    def close(self) -> None:
        """Nobody watches any more."""
        faulthandler.cancel_dump_traceback_later()
        os.close(self._woken)
        os.close(self.alarm)

    def _was_told(self) -> bool:
        try:
            numbers = os.read(self._woken, 100)
        except BlockingIOError:
            return False
        return signal.SIGTERM in numbers or signal.SIGINT in numbers

    def _end(self, why: str) -> None:
        log.error("%s", why)
        # Whatever hangs may hang this too: it gets its time and no more.
        abandoning = threading.Thread(target=self._abandon, daemon=True)
        abandoning.start()
        abandoning.join(_ABANDONING_S + 1)
        os._exit(EXIT_ERROR)

    def _abandon(self) -> None:
        if self._station is not None:
            count = self._station.abandon(_ABANDONING_S)
            log.error("ended by force: %d parts that were not judged are errors", count)


@contextmanager
def ended_in_time() -> Iterator[Ending]:
    """Around a station's life, in the main thread."""
    ending = Ending()
    before = signal.set_wakeup_fd(ending.alarm, warn_on_full_buffer=False)
    watching = threading.Thread(target=ending.watch, name="ending", daemon=True)
    watching.start()
    try:
        yield ending
    finally:
        ending.finish()
        signal.set_wakeup_fd(before)
        watching.join()
        ending.close()
