"""The messages under way: handed to the network thread, not acknowledged yet."""

from __future__ import annotations

import time
from dataclasses import dataclass

from edge.messaging.streams import OutboxRow


@dataclass(frozen=True, slots=True)
class _Sent:
    what: OutboxRow | str
    at_s: float


class InFlight:
    """By the number under which each will be acknowledged; belongs to the pump's thread.

    A message is a row of the outbox, or only a topic where it is not of the outbox.
    """

    def __init__(self) -> None:
        self._sent: dict[int, _Sent] = {}  # the oldest first
        self._heard_s = 0.0

    def __len__(self) -> int:
        return len(self._sent)

    @property
    def rows(self) -> int:
        """How many of them are of the outbox."""
        return sum(isinstance(sent.what, OutboxRow) for sent in self._sent.values())

    def add(self, number: int, what: OutboxRow | str) -> None:
        """It is on its way."""
        self._sent[number] = _Sent(what, time.monotonic())

    def settle(self, number: int) -> OutboxRow | str | None:
        """The broker has answered; which message it was, None for one that is not under way."""
        sent = self._sent.pop(number, None)
        if sent is None:
            return None
        self._heard_s = time.monotonic()
        return sent.what

    def unanswered_s(self) -> float:
        """For how long the broker has answered nothing though something is under way."""
        if not self._sent:
            return 0.0
        oldest_s = next(iter(self._sent.values())).at_s
        return time.monotonic() - max(oldest_s, self._heard_s)

    def forget_rows(self) -> None:
        """The outbox is another one: what is under way of the old one will be sent again."""
        self._sent = {number: sent for number, sent in self._sent.items() if isinstance(sent.what, str)}

    def clear(self) -> None:
        """The connection is gone."""
        self._sent.clear()
