"""What others may show of the messaging room: one snapshot, no secrets in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class LinkState(str, Enum):
    """How the station stands with its broker. Only ``connected`` means that messages flow."""

    DISABLED = "disabled"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    REFUSED = "refused"
    TLS_ERROR = "tls_error"
    UNREACHABLE = "unreachable"
    CLOSED = "closed"
    MISCONFIGURED = "misconfigured"
    STOPPED = "stopped"


@dataclass(frozen=True)
class LinkStatus:
    """The connection alone.

    Attributes:
        broker: ``host:port`` of the broker that is meant.
        reason, remedy: why it is not connected and what to do; empty when it is.
        since: UTC time at which this state began.
        birth: the connection's birth number; 0 before the first.
    """

    state: LinkState
    broker: str = ""
    reason: str = ""
    remedy: str = ""
    since: str = ""
    birth: int = 0


@dataclass(frozen=True)
class MessagingStatus:
    """The connection and the outbox.

    Attributes:
        waiting: messages that the broker has not acknowledged, of them ``in_flight`` under way.
        delivered: acknowledged since the start.
        dropped, expired: given up for lack of room, or stale, since the outbox was made.
        forbidden: topic to reason, where the broker does not let the station write or read.
        commands: what came in on ``cmd/#`` since the start: ``answered``, ``unanswerable``, ``overflowed``.
        sparkplug: the edge node's own connection; disabled where it is not used.
        fault: why the outbox cannot be written; empty when it can.
        durable: whether messages are on the disk before they are sent; not so past a dead one.
    """

    link: LinkStatus
    waiting: int = 0
    in_flight: int = 0
    delivered: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    expired: int = 0
    forbidden: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, int] = field(default_factory=dict)
    sparkplug: LinkStatus = LinkStatus(LinkState.DISABLED)
    fault: str = ""
    durable: bool = True

    @property
    def healthy(self) -> bool:
        """Whether everything that should be published is (also when nothing should be)."""
        links = {self.link.state, self.sparkplug.state}
        return links <= {LinkState.CONNECTED, LinkState.DISABLED} and not (self.forbidden or self.fault)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, one flat level but for the counters."""
        flat = dataclasses.asdict(self.link)
        flat["state"] = self.link.state.value
        rest = {name: value for name, value in vars(self).items() if name != "link"}
        rest["sparkplug"] = self.sparkplug.state.value
        counters = {name: dict(getattr(self, name)) for name in ("dropped", "forbidden", "commands")}
        return {**flat, **rest, **counters}

    def __str__(self) -> str:
        parts = [self.link.state.value.replace("_", " ")]
        if self.link.broker:
            parts[0] += f" {self.link.broker}"
        parts += [text for text in (self.link.reason, self.link.remedy, self.fault) if text]
        if self.sparkplug.state not in (LinkState.CONNECTED, LinkState.DISABLED):
            parts.append(f"Sparkplug {self.sparkplug.state.value}: {self.sparkplug.reason}")
        parts += [f"{topic}: {reason}" for topic, reason in self.forbidden.items()]
        parts += [f"{self.waiting} waiting"] if self.waiting else []
        lost = sum(self.dropped.values())
        parts += [f"{lost} dropped"] if lost else []
        return " · ".join(parts)
