"""Which part an image belongs to, when the station itself has asked for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from edge.cameras.order import ArrivalOrder


@dataclass(frozen=True, slots=True)
class PendingTrigger:
    """A trigger.

    Attributes:
        part_id: of the part that stands before the camera.
        acquisition: the handshake's number for it; 0 without one.
        at_s: when, on the monotonic clock.
        trusted: false where an image of the trigger before may still be under way.
    """

    part_id: str
    acquisition: int
    at_s: float
    trusted: bool = True


class OpenTrigger:
    """The one trigger that has no image yet.

    There is never a second one, so that an image cannot be taken for another part's. An image
    belongs to the part when it began to arrive between the trigger and the window's end. Within a
    further window after that end an image may be the one that was missing, come late: it is an
    error, unless the camera's count says that the missing one was taken and lost.

    Args:
        window_s: an image must arrive within so many seconds of its trigger.
        clock: seconds, steady.
    """

    def __init__(self, window_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._window_s = window_s
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: PendingTrigger | None = None
        self._order = ArrivalOrder(2 * window_s)
        # Triggers without an image since the last image: whose image may still come, and the others.
        self._recent = 0
        self._old = 0
        self._late_until_s = 0.0

    def ask(self, part_id: str, acquisition: int = 0) -> str | None:
        """Open a trigger for this part; the part that one is still open for, if there is one."""
        with self._lock:
            if self._asked is not None:
                return self._asked.part_id
            now_s = self._clock()
            if now_s > self._late_until_s:
                self._old, self._recent = self._old + self._recent, 0
            self._asked = PendingTrigger(part_id, acquisition, now_s, self._order.announced(now_s))
            return None

    def part_of(self, image_at_s: float, missed: int = 0) -> PendingTrigger | None:
        """The trigger of an image that began to arrive then, which ends with it; None for a stray.

        Args:
            image_at_s: on the monotonic clock.
            missed: images that the camera took before this one and that never arrived.
        """
        with self._lock:
            # What the camera lost may be of the old ones: only what is beyond them explains the recent.
            asked, unanswered = self._asked, self._recent > max(0, missed - self._old)
            self._recent = self._old = 0
            self._order.seen(image_at_s)
            if asked is None or not asked.at_s <= image_at_s <= asked.at_s + self._window_s:
                self._order.doubt()
                return None
            self._asked = None
            if unanswered or not asked.trusted:
                self._order.doubt()
                return PendingTrigger(asked.part_id, asked.acquisition, asked.at_s, trusted=False)
            return asked

    def overdue(self) -> PendingTrigger | None:
        """The trigger whose window is over, which ends with that; None where there is none."""
        with self._lock:
            asked = self._asked
            if asked is None or self._clock() <= asked.at_s + self._window_s:
                return None
            self._asked = None
            self._recent += 1
            self._late_until_s = asked.at_s + 2 * self._window_s
            return asked

    def give_up(self) -> PendingTrigger | None:
        """End the open trigger, with the connection that it was sent over; it, or None."""
        with self._lock:
            asked, self._asked = self._asked, None
            self._recent = self._old = 0
            return asked
