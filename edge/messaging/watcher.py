"""Watching a broker: the latest message of every topic, and what its numbers say was missed.

Reads and nothing else: no last will, no session that outlives it, no message of its own.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass
from types import TracebackType

from ulid import ULID

from edge.errors import MessagingError
from edge.messaging.client import Birth, BrokerSession, Client
from edge.messaging.reading import fields_of, readable
from edge.messaging.settings import MessagingSettings
from edge.messaging.status import LinkState, LinkStatus

#: Topics beyond this are counted and not shown: a whole plant's broker does not fill the memory.
MAX_TOPICS = 500
_MAX_WAITING = 10_000
#: Other programs' messages may be images; they are shown by their size.
_MOST_PACKET_BYTES = 4_000_000
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it arrived.

    Attributes:
        at: Unix time in seconds.
        text: what it says, on one line.
        retained: whether the broker had kept it.
        seq: its number; None where it has none.
    """

    topic: str
    at: float
    text: str
    retained: bool
    seq: int | None


@dataclass(frozen=True, slots=True)
class TopicView:
    """A topic's latest message and what came before it.

    Attributes:
        highest: number so far; None for a topic whose messages are not numbered.
        count: messages so far.
        missing: numbers that were skipped, for a topic whose messages are numbered.
        repeats: messages whose number was not above the one before: at-least-once delivery.
    """

    latest: Message
    highest: int | None
    count: int = 1
    missing: int = 0
    repeats: int = 0

    def followed_by(self, message: Message) -> TopicView:
        """The view after one more message."""
        highest, missing, repeats = self.highest, self.missing, self.repeats
        if highest is not None and message.seq is not None:
            missing += max(0, message.seq - highest - 1)
            repeats += message.seq <= highest
        numbers = [number for number in (highest, message.seq) if number is not None]
        return TopicView(message, max(numbers, default=None), self.count + 1, missing, repeats)


class Watcher:
    """Connects, subscribes, and keeps what it sees. A context manager.

    Args:
        settings: with the brokers; what it says of names and the outbox does not matter.
        topic_filter: what to subscribe to.
    """

    def __init__(self, settings: MessagingSettings, topic_filter: str) -> None:
        self._settings = settings.model_copy(update={"session_expiry_s": 0})
        self._topics: dict[str, TopicView] = {}
        self._hidden = 0
        self._lock = threading.Lock()
        self._new: queue.Queue[Message] = queue.Queue(_MAX_WAITING)
        self.refusals: dict[str, str] = {}
        self._client = Client(
            self._settings,
            client_id=f"watch-{str(ULID())[-12:]}",
            subscriptions=[topic_filter],
            prepare=lambda: Birth(1),
            listener=self,
            most_packet_bytes=_MOST_PACKET_BYTES,
        )

    @property
    def status(self) -> LinkStatus:
        """Of the connection."""
        return self._client.status

    @property
    def hidden(self) -> int:
        """Messages of topics beyond those that are kept."""
        return self._hidden

    def topics(self) -> list[TopicView]:
        """Every topic seen, in the order of their names."""
        with self._lock:
            return [self._topics[topic] for topic in sorted(self._topics)]

    def messages(self, timeout_s: float) -> list[Message]:
        """What arrived since the last call; waits for the first, but not longer than this."""
        found: list[Message] = []
        try:
            found.append(self._new.get(timeout=timeout_s))
            while True:
                found.append(self._new.get_nowait())
        except queue.Empty:
            return found

    def __enter__(self) -> Watcher:
        """Connect.

        Raises:
            MessagingError: no broker lets us in; it says why the last one did not.
        """
        self._client.start()
        tried: dict[str, LinkStatus] = {}
        while len(tried) < len(self._settings.brokers):
            status = self._client.status
            if status.state is LinkState.CONNECTED:
                return self
            if status.state is not LinkState.CONNECTING:
                tried[status.broker] = status
            time.sleep(_POLL_S)
        self._client.stop()
        raise MessagingError(" ".join(status.reason for status in tried.values()), status.remedy)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.stop()

    # -- the connection's listener: called in the network thread ---------------------------------

    def link_up(self, session: BrokerSession) -> None:
        """Connected."""

    def link_down(self, session: BrokerSession) -> None:
        """The status says why."""

    def acknowledged(self, session: BrokerSession, mid: int, refusal: str) -> None:
        """Never called: nothing is published."""

    def subscribed(self, session: BrokerSession, refusals: dict[str, str]) -> None:
        """What the broker does not let this account read."""
        del session
        self.refusals = refusals

    def received(self, session: BrokerSession, topic: str, payload: bytes, retained: bool) -> None:
        """One message."""
        del session
        fields = fields_of(payload) or {}
        seq = fields.get("seq")
        number = seq if isinstance(seq, int) and not topic.startswith("spBv1.0/") else None
        message = Message(topic, time.time(), readable(topic, payload), retained, number)
        with self._lock:
            seen = self._topics.get(topic)
            if seen is not None:
                self._topics[topic] = seen.followed_by(message)
            elif len(self._topics) < MAX_TOPICS:
                self._topics[topic] = TopicView(message, number)
            else:
                self._hidden += 1
        if not self._new.full():
            self._new.put_nowait(message)
