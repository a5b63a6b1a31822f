"""What goes through the outbox: streams of messages, on their way in and on their way out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any


class Stream(IntEnum):
    """What a message belongs to: its numbering, its order, and its worth (the lowest is kept longest)."""

    ALARM = 0
    EVENT = 1
    RESULT = 2


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """A message on its way into the outbox.

    Attributes:
        fields: the payload's fields. ``seq`` among them is kept; without one the outbox numbers it.
        ttl_s: after this it is stale and not sent; None: never.
        retain: the broker keeps it, and the outbox republishes the latest after a reconnect.
    """

    stream: Stream
    topic: str
    fields: Mapping[str, Any]
    ttl_s: float | None = None
    retain: bool = False


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message on its way out."""

    id: int
    stream: Stream
    topic: str
    payload: bytes
    retain: bool


@dataclass(slots=True)
class OutboxCounts:
    """How much waits, and how much was given up since the outbox was made."""

    rows: dict[Stream, int] = field(default_factory=lambda: dict.fromkeys(Stream, 0))
    bytes: dict[Stream, int] = field(default_factory=lambda: dict.fromkeys(Stream, 0))
    dropped: dict[Stream, int] = field(default_factory=lambda: dict.fromkeys(Stream, 0))
    expired: int = 0

    @property
    def total_rows(self) -> int:
        """Messages of all streams."""
        return sum(self.rows.values())

    @property
    def total_bytes(self) -> int:
        """Bytes of all streams, as the limit counts them."""
        return sum(self.bytes.values())
