"""The usual handshake between vision and PLC: ready, busy, result valid, acknowledge, missed acquisition.

::

    ready ──trigger──► busy ──inspection (or its time is over)──► result valid ──result_ack──► ready

A trigger that comes in any other state is a *missed acquisition*: it is counted, refused, and never
done later. A result that does not come in time is an error, and an error implies reject.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from edge.inspection import Inspection, Verdict
from edge.messaging import payloads
from edge.messaging.commands import CommandRefusedError


@dataclass(frozen=True)
class HandshakeState:
    """The signals, as they are published.

    Attributes:
        ready: a trigger would be taken.
        busy: a part is being inspected.
        valid: ``code`` is the result of ``acquisition``, until it is acknowledged.
        code: 0 none, 1 ok, 2 ng, 3 error.
        acquisition: number of the latest acquisition.
        missed: triggers that could not be taken, since the start.
        part_id: the part of the acquisition, as its trigger named it.
    """

    ready: bool = False
    busy: bool = False
    valid: bool = False
    code: int = 0
    acquisition: int = 0
    missed: int = 0
    part_id: str = ""

    def payload(self) -> bytes:
        """The retained ``handshake``."""
        return payloads.handshake(vars(self))


class Handshake:
    """The state machine. Thread-safe; every change is published.

    Args:
        publish: sends the payload, retained; called with the lock held, and only enqueues.
        result_timeout_s: a result that takes longer is an error.
        clock: seconds, steady.
    """

    def __init__(
        self,
        publish: Callable[[bytes], None],
        *,
        result_timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publish = publish
        self._result_timeout_s = result_timeout_s
        self._clock = clock
        self._lock = threading.Lock()
        self._enabled = False
        self._due = float("inf")
        self._views = 1
        self._seen = 0  # inspections of this acquisition
        self._worst = 0  # of them, by code
        self._state = HandshakeState()

    @property
    def state(self) -> HandshakeState:
        """The signals now."""
        return self._state

    def expect_views(self, count: int) -> None:
        """Each acquisition has an image of so many cameras; the worst of them is its result."""
        self._views = count

    def enable(self, enabled: bool) -> None:
        """The station inspects, or does not (paused, starting, faulty)."""
        with self._lock:
            self._enabled = enabled
            state = self._state
            self._change(ready=enabled and not state.busy and not state.valid)

    def trigger(self, part_id: str = "") -> int:
        """Begin an acquisition; returns its number.

        Raises:
            CommandRefusedError: it is missed, because the station is not ready.
        """
        with self._lock:
            state = self._state
            if not state.ready:
                why = (
                    "the previous part is still being inspected"
                    if state.busy
                    else f"the result of acquisition {state.acquisition} is still waiting for result_ack"
                    if state.valid
                    else "the station is not running"
                )
                self._change(missed=state.missed + 1)
                raise CommandRefusedError(f"Missed acquisition: {why}.")
            self._due = self._clock() + self._result_timeout_s
            number = state.acquisition + 1
            self._seen, self._worst = 0, 0
            self._change(ready=False, busy=True, code=0, acquisition=number, part_id=part_id)
            return number

    def abandon(self, acquisition: int) -> None:
        """The camera could not be triggered: there will be no result of this acquisition."""
        with self._lock:
            if self._state.busy and self._state.acquisition == acquisition:
                self._change(ready=self._enabled, busy=False)

    def observe(self, inspection: Inspection) -> None:
        """An inspection was made; it is of the result where this acquisition asked for its image.

        The part's name does not tell: it can be empty, and a part can come round again while the
        inspection of its first time is still under way.
        """
        with self._lock:
            state = self._state
            if inspection.acquisition != state.acquisition or not (state.busy or state.valid):
                return
            self._seen += 1
            self._worst = max(self._worst, inspection.code)
            if state.valid or self._seen >= self._views or inspection.verdict is Verdict.ERROR:
                # A result that is there only gets worse: by another camera that was late.
                self._change(busy=False, valid=True, code=max(state.code, self._worst))

    def acknowledge(self, acquisition: int) -> None:
        """The PLC took the result.

        Raises:
            CommandRefusedError: that result is not the one that waits.
        """
        with self._lock:
            state = self._state
            if not state.valid or state.acquisition != acquisition:
                waiting = f"acquisition {state.acquisition}" if state.valid else "none"
                raise CommandRefusedError(
                    f"The result of acquisition {acquisition} is not waiting to be acknowledged; "
                    f"{waiting} is."
                )
            self._change(ready=self._enabled, valid=False, code=0)

    def check_time(self) -> None:
        """Call this often: a result that is overdue becomes an error."""
        with self._lock:
            if self._state.busy and self._clock() > self._due:
                self._change(busy=False, valid=True, code=Verdict.ERROR.code)

    def _change(self, **signals: bool | int | str) -> None:
        state = replace(self._state, **signals)  # type: ignore[arg-type]
        if state != self._state:
            self._state = state
            self._publish(state.payload())
