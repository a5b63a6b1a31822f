"""Whether a broker lets this station in and lets it write, found out beside the station that may run.

Nothing is published but one answer on ``cmd/reply`` to a command that nobody gave.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ulid import ULID

from edge.messaging import ReplyCode, StationState, fields_of, payloads, readable
from edge.station.health import Level, level_said

if TYPE_CHECKING:
    from edge.messaging import BrokerSession, BrokerSettings, LinkStatus, MessagingSettings, Topics

_POLL_S = 0.05

#: A broker answers within milliseconds; an ACL that forbids by silence is waited for so long.
_ANSWER_S = 2.0


@dataclass(frozen=True, slots=True)
class BrokerReport:
    """What a visit showed.

    Attributes:
        link: the connection; ``birth`` is 1 where the broker let us in.
        forbidden: topic to reason, of those that the account may not read or write.
        state: the ``state`` that the broker keeps of the station, in words; empty for none.
        ails: whether that state is one of a station that is not well.
    """

    link: LinkStatus
    forbidden: dict[str, str] = field(default_factory=dict)
    state: str = ""
    ails: bool = False


class _Visitor:
    """The connection's listener; writes its answer, and down what comes back."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._name = f"doctor-{str(ULID())[-10:]}"
        self.forbidden: dict[str, str] = {}
        self.state = ""
        self.ails = False
        self.echoed = threading.Event()

    def link_up(self, session: BrokerSession) -> None:
        """Let in: answer nobody."""
        text = "The doctor looked whether this topic can be written."
        session.publish(self._topics.reply, payloads.reply(self._name, "doctor", ReplyCode.DONE, text))

    def link_down(self, session: BrokerSession) -> None:
        """The status says why."""

    def acknowledged(self, session: BrokerSession, mid: int, refusal: str) -> None:
        """MQTT 5 says whether the topic may be written."""
        del session, mid
        if refusal:
            self.forbidden[self._topics.reply] = refusal
            self.echoed.set()

    def subscribed(self, session: BrokerSession, refusals: dict[str, str]) -> None:
        """What may not be read."""
        del session
        self.forbidden.update(refusals)

    def received(self, session: BrokerSession, topic: str, payload: bytes, retained: bool) -> None:
        """The station's state, and our own answer back."""
        del session, retained
        if topic == self._topics.state:
            self.state, self.ails = readable(topic, payload), _ails(payload)
        elif topic == self._topics.reply and self._name.encode() in payload:
            self.echoed.set()


def _ails(payload: bytes) -> bool:
    """Whether a ``state`` is of a station that is not well: its code, or the level its text opens with."""
    fields = fields_of(payload) or {}
    return fields.get("code") == StationState.FAULT or level_said(str(fields.get("text", ""))) is not Level.OK


def probe(settings: MessagingSettings, broker: BrokerSettings, topics: Topics) -> BrokerReport:
    """Connect once with the station's account, look whether it may write, and leave again."""
    from edge.messaging import Birth, Client, LinkState

    visitor = _Visitor(topics)
    client = Client(
        settings.model_copy(update={"brokers": (broker,), "session_expiry_s": 0}),
        # A name of its own: with the station's, the broker would throw the running station out.
        client_id=f"doctor-{str(ULID())[-10:]}",
        subscriptions=[topics.state, topics.commands],
        prepare=lambda: Birth(1),
        listener=visitor,
    )
    client.start()
    try:
        deadline = time.monotonic() + 3 * settings.connect_timeout_s
        while client.status.state is LinkState.CONNECTING and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        link = client.status
        if not link.birth:
            return BrokerReport(link)
        if not visitor.echoed.wait(_ANSWER_S):
            visitor.forbidden[topics.reply] = "It does not come back: the broker's ACL forbids it."
        return BrokerReport(link, dict(visitor.forbidden), visitor.state, visitor.ails)
    finally:
        client.stop()
