"""The one thread that owns the outbox and publishes.

Everyone else (the station's writer, the network thread's callbacks) only puts a request into its
queue. The thread takes all that waits there, makes it durable in one commit, tells those who wait
for that, and then keeps the window of messages under way full.

What is said live (state, replies, the handshake) and alarms have room beside that window, so that
they never queue behind results. A broker that acknowledges nothing any more is given up.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from edge.errors import EdgeError, MessagingError
from edge.messaging.client import BrokerSession
from edge.messaging.in_flight import InFlight
from edge.messaging.outbox import Outbox
from edge.messaging.outbox_file import OutboxDiskError
from edge.messaging.outbox_keeper import OutboxKeeper
from edge.messaging.streams import OutboxCounts, OutboxEntry, OutboxRow, Stream

log = logging.getLogger(__name__)

#: Acknowledged rows are deleted with the next commit, or after this time on their own.
_DELETE_AFTER_S = 0.2
_HOUSEKEEPING_S = 5.0
#: A broker that refuses a message (its ACL, its quota) is asked again after this time.
_REFUSED_PAUSE_S = 10.0
_BATCH = 1000
_MAX_LIVE = 1000
_MISTAKES = (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError)
#: A disk that does not even answer must not keep the process from ending.
_END_S = 10.0


@dataclass(frozen=True)
class PumpStatus:
    """What the pump last saw; replaced as a whole, so readers need no lock."""

    counts: OutboxCounts
    waiting: int
    in_flight: int
    delivered: int
    forbidden: dict[str, str]
    fault: str
    durable: bool


@dataclass(frozen=True, slots=True)
class _Submission:
    entries: Sequence[OutboxEntry]
    future: Future[list[int]]


@dataclass(frozen=True, slots=True)
class _Question:
    ask: Callable[[], Any]
    future: Future[Any]

    def __call__(self) -> None:
        try:
            self.future.set_result(self.ask())
        except sqlite3.Error as error:
            self.future.set_exception(
                MessagingError(f"The outbox cannot be used: {error}.", "Check the disk.")
            )
        except (EdgeError, *_MISTAKES) as error:  # whoever asked is told, and the pump goes on
            self.future.set_exception(error)


def _ended() -> MessagingError:
    return MessagingError("The outbox is closed.", "Submit before the station stops.")


class Pump:
    """Owns the outbox, publishes what is in it.

    Args:
        open_outbox: opens it, or what stands in for it in memory; called in the pump's thread.
        ack_timeout_s: a broker that acknowledges nothing of what is under way for so long is given up.
        on_birth: called in the pump's thread when a connection is there, before anything of the
            outbox is sent: publishes what is retained.
        on_message: called in the pump's thread for every message received.
        on_tick: called in the pump's thread several times a second.
        on_expired: told in the pump's thread how many messages of which stream grew stale.
        on_reset: told in the pump's thread of an outbox that was damaged while the station ran.
    """

    def __init__(
        self,
        open_outbox: Callable[[bool], Outbox],
        *,
        ack_timeout_s: float,
        on_birth: Callable[[BrokerSession], None],
        on_message: Callable[[BrokerSession, str, bytes, bool], None],
        on_tick: Callable[[], None],
        on_expired: Callable[[dict[Stream, int]], None],
        on_reset: Callable[[], None],
    ) -> None:
        self._open_outbox = open_outbox
        self._on_birth = on_birth
        self._on_message = on_message
        self._on_tick = on_tick
        self._on_expired = on_expired
        self._on_reset = on_reset
        self._ack_timeout_s = ack_timeout_s
        self._requests: queue.SimpleQueue[Callable[[], None] | _Submission | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="mqtt-outbox", daemon=True)
        self._opened: Future[Outbox] = Future()
        self._stopping = False
        self._closed = False
        self._session: BrokerSession | None = None
        self._in_flight = InFlight()
        # Bounded: who sends commands faster than a broker takes the answers asks again.
        self._live: deque[tuple[str, bytes, bool]] = deque(maxlen=_MAX_LIVE)
        self._submissions: list[_Submission] = []
        self._acked: list[int] = []
        self._acked_at = 0.0
        self._refused_until: dict[Stream, float] = {}
        self._forbidden: dict[str, str] = {}
        self._told_forbidden: set[str] = set()
        self._delivered = 0
        self._fault = ""
        self._next_housekeeping = 0.0
        self.status = PumpStatus(OutboxCounts(), 0, 0, 0, {}, "", durable=True)

    # -- for any thread ------------------------------------------------------------------------

    def start(self) -> Outbox:
        """Open the outbox and begin; the outbox is returned for its facts at the start only.

        Raises:
            MessagingError: the outbox cannot be opened.
        """
        self._thread.start()
        return self._opened.result()

    def stop(self) -> None:
        """Make durable what was submitted, and end. What was not sent stays in the outbox."""
        self._requests.put(None)
        self._thread.join(_END_S)
        if self._thread.is_alive():
            log.error("MQTT outbox: the disk does not respond; messages that were not on it are lost")

    def submit(self, entries: Sequence[OutboxEntry]) -> Future[list[int]]:
        """Queue entries; the future holds their sequence numbers once they are on the disk."""
        future = self.enqueue(entries)
        self.turn_away()
        return future

    def enqueue(self, entries: Sequence[OutboxEntry]) -> Future[list[int]]:
        """The same under a lock of the caller's: it calls nobody; :meth:`turn_away` must follow without."""
        future: Future[list[int]] = Future()
        self._requests.put(_Submission(entries, future))
        return future

    def ask(self, question: Callable[[], Any]) -> Future[Any]:
        """Run something in the pump's thread."""
        future = self.enqueue_question(question)
        self.turn_away()
        return future

    def enqueue_question(self, question: Callable[[], Any]) -> Future[Any]:
        """As :meth:`enqueue`, for :meth:`ask`."""
        future: Future[Any] = Future()
        self._requests.put(_Question(question, future))
        return future

    def turn_away(self) -> None:
        """Tell who came after the end, by the callbacks of their futures; nothing before it."""
        if self._closed:
            self._fail_waiting()

    def next_birth(self) -> int:
        """The next connection's number. For the network thread: the pump never waits for that one."""
        birth: int = self.ask(lambda: self.outbox.next_birth()).result()
        return birth

    # -- the connection's listener: called in the network thread, only enqueues ----------------

    def link_up(self, session: BrokerSession) -> None:
        """A broker accepted the station."""
        self._requests.put(lambda: self._begin(session))

    def link_down(self, session: BrokerSession) -> None:
        """The connection ended; what was under way will be sent again."""
        self._requests.put(lambda: self._end(session))

    def acknowledged(self, session: BrokerSession, mid: int, refusal: str) -> None:
        """The broker has a message, or says why it does not take it."""
        self._requests.put(lambda: self._settle(session, mid, refusal))

    def subscribed(self, session: BrokerSession, refusals: dict[str, str]) -> None:
        """The broker answered the subscriptions."""
        del session
        for topic, reason in refusals.items():
            self._requests.put(partial(self.note_forbidden, topic, reason))

    def received(self, session: BrokerSession, topic: str, payload: bytes, retained: bool) -> None:
        """A message came in."""
        self._requests.put(lambda: self._on_message(session, topic, payload, retained))

    # -- for the pump's thread -----------------------------------------------------------------

    @property
    def outbox(self) -> Outbox:
        """The outbox in use."""
        return self._keeper.outbox

    @property
    def session(self) -> BrokerSession | None:
        """The connection, where there is one."""
        return self._session

    def pending(self) -> int:
        """Messages that the broker has not acknowledged, those past the outbox included."""
        live = len(self._live) + len(self._in_flight) - self._in_flight.rows
        return self.outbox.counts().total_rows - len(self._acked) + live

    def note_forbidden(self, topic: str, reason: str) -> None:
        """Show that the broker keeps a topic from the station; an empty reason takes it back."""
        if reason:
            self._forbidden[topic] = reason
            if topic not in self._told_forbidden:
                self._told_forbidden.add(topic)
                log.warning("MQTT: the broker forbids %s: %s", topic, reason)
        elif self._forbidden.pop(topic, ""):
            self._told_forbidden.discard(topic)
            log.info("MQTT: the broker allows %s again", topic)

    def send_live(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Publish soon, past the outbox and before it; nothing happens without a connection."""
        if self._session is None:
            return
        if qos == 0:
            self._session.publish(topic, payload, qos=0, retain=retain)
        else:
            self._live.append((topic, payload, retain))

    def _begin(self, session: BrokerSession) -> None:
        self._session = session
        self._in_flight.clear()
        self._live.clear()
        self._refused_until.clear()
        self._forbidden.clear()
        self._flush_acked()
        self.outbox.release()
        self._on_birth(session)
        if self.outbox.counts().rows[Stream.ALARM] == 0:  # else the latest comes with them
            for topic, payload in self.outbox.retained():
                self.send_live(topic, payload, retain=True)

    def _end(self, session: BrokerSession) -> None:
        if session is self._session:
            self._session = None
            self._in_flight.clear()
            self._live.clear()

    def _settle(self, session: BrokerSession, mid: int, refusal: str) -> None:
        sent = self._in_flight.settle(mid) if session is self._session else None
        if sent is None:
            return
        if isinstance(sent, str):
            if refusal:
                self.note_forbidden(sent, refusal)
            return
        if refusal:
            self.note_forbidden(sent.topic, refusal)
            self._refused_until[sent.stream] = time.monotonic() + _REFUSED_PAUSE_S
            self.outbox.release(sent)
            return
        self.note_forbidden(sent.topic, "")
        self._delivered += 1
        if not self._acked:
            self._acked_at = time.monotonic()
        self._acked.append(sent.id)

    def _run(self) -> None:
        try:
            self._keeper = OutboxKeeper(self._open_outbox)
        except EdgeError as error:
            self._opened.set_exception(error)
            return
        self._opened.set_result(self.outbox)
        try:
            while not self._stopping:
                try:
                    self._step()
                except (sqlite3.Error, OSError) as error:  # a disk that cannot even be read
                    self._leave_disk(error)
        finally:
            self._flush_acked()
            self._keeper.close()
            self._closed = True
            self._fail_waiting()

    def _leave_disk(self, error: Exception) -> None:
        """Go on from memory, and send again what is under way: its rows are others now."""
        if not self.outbox.durable:
            log.error("MQTT outbox: %s", error)
            time.sleep(_DELETE_AFTER_S)
            return
        self._keeper.leave_disk(error, self._acked)
        self._outbox_changed()

    def _outbox_changed(self) -> None:
        self._acked.clear()
        self._in_flight.forget_rows()

    def _fail_waiting(self) -> None:
        """Whoever came after the end is told so instead of waiting."""
        while True:
            try:
                request = self._requests.get_nowait()
            except queue.Empty:
                return
            if isinstance(request, _Submission | _Question):
                request.future.set_exception(_ended())

    def _step(self) -> None:
        """One round: requests, one commit, the window."""
        self._serve()
        self._watch_broker()
        submissions, self._submissions = self._submissions, []
        self._commit(submissions)
        self._on_tick()
        self._fill_window()
        now = time.monotonic()
        if now >= self._next_housekeeping:
            self._next_housekeeping = now + _HOUSEKEEPING_S
            self._keep_house()
        counts = self.outbox.counts()
        self.status = PumpStatus(
            counts,
            counts.total_rows - len(self._acked),
            len(self._in_flight),
            self._delivered,
            dict(self._forbidden),
            self._keeper.fault or self._fault,
            self.outbox.durable,
        )

    def _serve(self) -> None:
        """Take what is queued, waiting for the first."""
        timeout_s = _DELETE_AFTER_S
        for _ in range(_BATCH):
            try:
                request = self._requests.get(timeout=timeout_s) if timeout_s else self._requests.get_nowait()
            except queue.Empty:
                break
            timeout_s = 0.0
            if request is None:
                # Kept here, so that no error on the way loses it.
                self._stopping = True
                break
            if isinstance(request, _Submission):
                self._submissions.append(request)
            else:
                request()

    def _watch_broker(self) -> None:
        """Give up a broker that answers pings and acknowledges nothing."""
        if self._session is None or not self._requests.empty():  # an answer may be among them
            return
        if self._in_flight.unanswered_s() > self._ack_timeout_s:
            self._session.give_up()
            self._end(self._session)

    def _commit(self, submissions: Sequence[_Submission]) -> None:
        entries = [entry for submission in submissions for entry in submission.entries]
        due = len(self._acked) >= _BATCH or time.monotonic() - self._acked_at >= _DELETE_AFTER_S
        if not entries and not (self._acked and due):
            for submission in submissions:
                submission.future.set_result([])
            return
        try:
            seqs = self._take_in(entries)
        except MessagingError as error:  # an entry that cannot be a payload; those beside it go with it
            for submission in submissions:
                submission.future.set_exception(error)
            return
        self._acked.clear()
        self._set_fault("" if all(seqs) else "The disk is full: messages are being dropped.")
        for submission in submissions:
            own, seqs = seqs[: len(submission.entries)], seqs[len(submission.entries) :]
            if all(own):
                submission.future.set_result(own)
            else:
                submission.future.set_exception(
                    MessagingError(
                        f"The outbox's disk is full; {own.count(0)} of {len(own)} messages were dropped.",
                        "Free space on the disk.",
                    )
                )

    def _take_in(self, entries: Sequence[OutboxEntry]) -> list[int]:
        try:
            return self.outbox.commit(entries, self._acked)
        except OutboxDiskError as error:
            self._leave_disk(error)
            return self.outbox.commit(entries)

    def _flush_acked(self) -> None:
        if self._acked:
            try:
                self.outbox.commit([], self._acked)
                self._acked.clear()
            except MessagingError as error:
                self._set_fault(str(error))  # they will be sent again: repeats, not losses

    def _fill_window(self) -> None:
        session = self._session
        if session is None:
            return
        while self._live and self._room(session) > 0:
            topic, payload, retain = self._live.popleft()
            if not self._send(session, topic, topic, payload, retain):
                return
        now = time.monotonic()
        streams = [stream for stream in Stream if self._refused_until.get(stream, 0.0) <= now]
        alarms = [stream for stream in streams if stream is Stream.ALARM]
        rows = self.outbox.take(min(self._room(session), session.window), alarms)
        room = min(self._room(session), session.window - self._in_flight.rows) - len(rows)
        rows += self.outbox.take(max(0, room), [stream for stream in streams if stream is not Stream.ALARM])
        for row in rows:
            if not self._send(session, row, row.topic, row.payload, row.retain):
                return

    def _room(self, session: BrokerSession) -> int:
        """Messages that the broker takes beside those under way."""
        return session.limit - len(self._in_flight)

    def _send(
        self, session: BrokerSession, what: OutboxRow | str, topic: str, payload: bytes, retain: bool
    ) -> bool:
        mid = session.publish(topic, payload, qos=1, retain=retain)
        if mid is None:  # the connection has just ended: link_down is on its way
            self._end(session)
            return False
        self._in_flight.add(mid, what)
        return True

    def _keep_house(self) -> None:
        if self._keeper.return_to_disk(self._acked):
            self._outbox_changed()
            if self.outbox.was_reset:
                self._on_reset()
        try:
            if expired := self.outbox.expire():
                self._on_expired(expired)
        except OutboxDiskError as error:
            self._leave_disk(error)
        self.outbox.keep_reserve()

    def _set_fault(self, fault: str) -> None:
        if fault and not self._fault:
            log.error("MQTT outbox: %s", fault)
        elif self._fault and not fault:
            log.info("MQTT outbox: the disk accepts messages again")
        self._fault = fault
