"""Which part an image belongs to, when the station itself has asked for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone


@dataclass(frozen=True, slots=True)
class _Asked:
    part_id: str
    at: datetime


class OpenTrigger:
    """The one trigger that has no image yet.

    There is never a second one, so that an image cannot be taken for another part's. An image
    belongs to the part when it began to arrive between the trigger and the window's end.

    Args:
        window_s: an image must arrive within so many seconds of its trigger.
    """

    def __init__(self, window_s: float) -> None:
        self._window = timedelta(seconds=window_s)
        self._lock = threading.Lock()
        self._asked: _Asked | None = None

    def ask(self, part_id: str) -> str | None:
        """Open a trigger for this part; the part that one is still open for, if there is one."""
        with self._lock:
            if self._asked is not None:
                return self._asked.part_id
            self._asked = _Asked(part_id, datetime.now(timezone.utc))
            return None

    def part_of(self, image_at: datetime) -> str | None:
        """The part of an image that began to arrive then, whose trigger ends with it; None for a stray."""
        with self._lock:
            asked = self._asked
            if asked is None or not asked.at <= image_at <= asked.at + self._window:
                return None
            self._asked = None
            return asked.part_id

    def overdue(self) -> str | None:
        """The part whose window is over, whose trigger ends with that; None where there is none."""
        with self._lock:
            asked = self._asked
            if asked is None or datetime.now(timezone.utc) <= asked.at + self._window:
                return None
            self._asked = None
            return asked.part_id

    def give_up(self) -> str | None:
        """End the open trigger; its part, or None."""
        with self._lock:
            asked, self._asked = self._asked, None
            return asked.part_id if asked else None
