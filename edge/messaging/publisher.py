"""The station's mouth: durable results, events and alarms, retained state, a live heartbeat.

Nothing here waits for the network. ``publish_inspections`` waits for the disk and is meant for the
station's writer thread; everything else only puts something into a queue.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from pathlib import Path

from edge.clock import StationClock
from edge.errors import EdgeError, MessagingError
from edge.inspection import Inspection
from edge.messaging import payloads
from edge.messaging.alarms import AlarmBook, AlarmChange
from edge.messaging.client import Birth, BrokerSession, Client
from edge.messaging.codes import AlarmCode, EventCode, StationState
from edge.messaging.commands import (
    COMMANDS,
    AnsweredCommand,
    Command,
    CommandRefusedError,
    CommandRouter,
    Handler,
)
from edge.messaging.handshake import Handshake
from edge.messaging.outbox import Outbox
from edge.messaging.pump import Pump
from edge.messaging.settings import MessagingSettings
from edge.messaging.sparkplug import SparkplugNode
from edge.messaging.status import LinkState, LinkStatus, MessagingStatus
from edge.messaging.streams import OutboxEntry, Stream
from edge.messaging.topics import Topics

log = logging.getLogger(__name__)

#: A broker gives a retained state back at once; after this time it did not take it.
_ECHO_S = 5.0
_POLL_S = 0.02
#: While a broker is away messages grow stale one by one: told so often.
_EXPIRED_PERIOD_S = 3600.0

_RESET = (
    "The outbox was damaged or missing and has been replaced by a new one; messages waiting "
    "in it were not sent."
)


def client_id(topics: Topics) -> str:
    """A client id of at most 23 characters (the least that every broker takes), one for each station."""
    digest = hashlib.sha256(topics.prefix.encode()).hexdigest()[:10]
    return f"{topics.station[:12]}-{digest}"


def sparkplug_client_id(main_id: str) -> str:
    """A second client id for the same station, as short as the first."""
    return f"sp-{hashlib.sha256(main_id.encode()).hexdigest()[:20]}"


class Publisher:
    """Publishes for one station. With no broker in the settings every call does nothing.

    Args:
        settings: the ``messaging`` section.
        data_dir: where the outbox lies.
        station: the station's own name, used where the settings name none.
        clock: on which messages grow old; default: that of ``data_dir``.

    Raises:
        MessagingError: a name that cannot be part of a topic.
    """

    def __init__(
        self,
        settings: MessagingSettings,
        data_dir: Path,
        *,
        station: str = "station",
        clock: StationClock | None = None,
    ) -> None:
        self.topics = Topics(settings.site, settings.line, settings.station or station)
        self._settings = settings
        self._path = data_dir / "outbox.db"
        self._clock = clock or StationClock(data_dir)
        self._pump = Pump(
            self._open_outbox,
            ack_timeout_s=settings.ack_timeout_s,
            on_birth=self._on_birth,
            on_message=self._on_message,
            on_tick=self._on_tick,
            on_expired=self._on_expired,
            on_reset=self._on_reset,
        )
        self._client: Client | None = None
        self._started = False
        self._stopped = False
        self._lock = threading.Lock()  # guards the facts below and their order in the pump's queue;
        # never held while calling out
        self._state = StationState.STARTING
        self._state_texts = {"product": "", "bundle": "", "text": "", "decided_by": "", "engine": ""}
        self._alarms = AlarmBook(settings.alarms)
        self._handlers: dict[str, Handler] = {"ack": self._acknowledge_command}
        self._router: CommandRouter | None = None
        self._sparkplug: SparkplugNode | None = None
        self.handshake: Handshake | None = None
        if settings.handshake.enabled:
            self.handshake = Handshake(
                self._send_handshake, result_timeout_s=settings.handshake.result_timeout_s
            )
            self._handlers["result_ack"] = self._result_ack_command
        self._result_seq = 0
        self._totals = {"total": 0, "ok": 0, "ng": 0, "error": 0}
        self._beats = 0
        self._next_beat = 0.0
        self._echo_by = float("inf")
        self._expired: dict[Stream, int] = {}
        self._expired_told_s = float("-inf")

    # -- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the outbox and begin to connect in the background.

        Raises:
            MessagingError: the outbox cannot be written. An absent broker is no error here.
        """
        if not self._settings.enabled or self._started:
            return
        outbox = self._pump.start()
        self._result_seq = self._pump.ask(lambda: outbox.last_seq(Stream.RESULT)).result()
        self._alarms = self._pump.ask(lambda: self._standing_alarms(outbox)).result()
        self._started = True
        self._submit(*map(self._alarm_entry, self._alarms.forget_causes("the station started")))
        self._router = CommandRouter(
            self._handlers,
            reply=self._send_reply,
            memory=_Memory(self._pump),
            allowed=self._settings.commands,
            needs_expiry=self._settings.session_expiry_s > 0,
        )
        if outbox.was_reset:
            self._on_reset()
        own_id = self._settings.client_id or client_id(self.topics)
        if self._settings.sparkplug.enabled:
            self._sparkplug = SparkplugNode(
                self._settings, node=self.topics.station, client_id=sparkplug_client_id(own_id)
            )
            self._sparkplug.alarms(self._alarms.mask, self._alarms.unacked)
            self._sparkplug.start()
        self._client = Client(
            self._settings,
            client_id=own_id,
            subscriptions=[self.topics.commands, self.topics.state],
            prepare=self._prepare_birth,
            listener=self._pump,
        )
        self._client.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Send what can be sent in this time, say *offline*, close. What is left stays on the disk."""
        if not self._started or self._stopped:
            return
        self._stopped = True
        self.flush(timeout_s)
        self.set_state(StationState.OFFLINE, text="stopped")
        self.flush(1.0)
        if self._sparkplug is not None:
            self._sparkplug.stop()
        if self._client is not None:
            self._client.stop()
        if self._router is not None:
            self._router.close()
        self._pump.stop()
        self._clock.keep(at_once=True)

    def __enter__(self) -> Publisher:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def flush(self, timeout_s: float) -> bool:
        """Wait until the broker has everything; False when there is no connection or the time is over."""
        deadline = time.monotonic() + timeout_s
        while self._started:
            self._pump.submit([])  # what was submitted before is in the outbox when the question is answered
            pending = self._pump.ask(self._pump.pending)
            if not wait([pending], max(_POLL_S, deadline - time.monotonic())).done:
                return False  # a disk that does not answer
            if pending.result() == 0:
                return True
            connected = self.status().link.state is LinkState.CONNECTED
            if time.monotonic() >= deadline or not connected:
                return False
            time.sleep(_POLL_S)
        return True

    # -- what the station says -----------------------------------------------------------------

    def publish_inspections(self, inspections: Sequence[Inspection]) -> None:
        """Take in inspections; they are on the disk when this returns. For the writer thread.

        Past a dead disk they go out from memory, and :meth:`status` says so.

        Raises:
            MessagingError: the disk is full, and results were given up.
        """
        self.submit_inspections(inspections).result()

    def submit_inspections(self, inspections: Sequence[Inspection]) -> Future[list[int]]:
        """The same without waiting; the future ends when they are on the disk."""
        if not self._started:
            done: Future[list[int]] = Future()
            done.set_result([])
            return done
        ttl_s = self._settings.outbox.result_ttl_s
        entries = [
            OutboxEntry(Stream.RESULT, self.topics.result, payloads.result(inspection), ttl_s)
            for inspection in inspections
        ]
        for inspection in inspections:
            if self.handshake is not None:
                self.handshake.observe(inspection)
        with self._lock:
            for inspection in inspections:
                self._totals["total"] += 1
                self._totals[inspection.verdict.value] += 1
                self._result_seq = max(self._result_seq, inspection.seq)
                self._show_inspection(inspection)
            changes = [change for one in inspections for change in self._alarms.observe(one)]
            future = self._pump.enqueue([*entries, *map(self._alarm_entry, changes)])
        self._pump.turn_away()
        return future

    def begin_results_after(self, seq: int) -> None:
        """Results up to ``seq`` were made before there was an outbox: they are not published late."""
        if not self._started:
            self._result_seq = seq
            return
        outbox = self._pump.outbox
        self._pump.ask(lambda: outbox.begin_after(Stream.RESULT, seq)).result()
        self._result_seq = outbox.last_seq(Stream.RESULT)

    def last_result_seq(self) -> int:
        """The highest ``Inspection.seq`` that the outbox ever took; 0 for none.

        After a crash the station hands in again what its records hold beyond this number, so that
        ``result`` has no gap.
        """
        return self._result_seq

    def event(
        self,
        code: EventCode,
        text: str = "",
        *,
        product: str = "",
        part_id: str = "",
        result_seq: int | None = None,
    ) -> None:
        """Say that something happened, where it does to the inspection ``result_seq``; durable soon after."""
        fields = payloads.event(code, text, product=product, part_id=part_id, result_seq=result_seq)
        self._submit(OutboxEntry(Stream.EVENT, self.topics.event, fields, self._settings.outbox.event_ttl_s))

    def alarm(self, code: AlarmCode, *, active: bool, text: str = "") -> None:
        """Say that a lasting cause came or went. The alarm itself stands until acknowledged."""
        with self._lock:
            self._enqueue(*map(self._alarm_entry, self._alarms.set(code, active, text)))
        self._pump.turn_away()

    def raise_alarm(self, code: AlarmCode, text: str) -> None:
        """Say that something happened which a person has to see: an alarm that stands until acknowledged."""
        with self._lock:
            self._enqueue(self._alarm_entry(self._alarms.latch(code, text)))
        self._pump.turn_away()

    def acknowledge(self, *codes: AlarmCode) -> int:
        """The operator has seen these alarms (none named: all); returns how many that changed."""
        with self._lock:
            changes = self._alarms.acknowledge(codes or tuple(AlarmCode))
            self._enqueue(*map(self._alarm_entry, changes))
        self._pump.turn_away()
        return len(changes)

    def handle(self, command: str, handler: Handler) -> None:
        """Have a command done by ``handler``; before :meth:`start`. See :mod:`edge.messaging.commands`.

        Raises:
            MessagingError: there is no such command.
        """
        if command not in COMMANDS:
            raise MessagingError(f"There is no command {command!r}.", f"Commands: {', '.join(COMMANDS)}.")
        self._handlers[command] = self._shaking_hands(handler) if command == "trigger" else handler

    def set_state(
        self,
        state: StationState,
        *,
        product: str = "",
        bundle: str = "",
        text: str = "",
        decided_by: str = "",
        engine: str = "",
    ) -> None:
        """Say what the station is doing; retained by the broker, and said again after a reconnect."""
        with self._lock:
            self._state = state
            self._state_texts = {
                "product": product,
                "bundle": bundle,
                "text": text,
                "decided_by": decided_by,
                "engine": engine,
            }
        if self.handshake is not None:
            self.handshake.enable(state is StationState.RUNNING)
        if self._started:
            self._pump.ask(self._send_state)

    def heartbeat(self) -> None:
        """The station is well. Call it as often as you like; it is sent at its own pace, live only."""
        now = time.monotonic()
        with self._lock:
            if not self._started or now < self._next_beat:
                return
            self._next_beat = max(self._next_beat + self._settings.heartbeat_s, now)
            self._beats += 1
            waiting = self._pump.status.waiting
            beat = payloads.heartbeat(self._beats, self._state, self._totals, waiting)
        self._pump.ask(lambda: self._pump.send_live(self.topics.heartbeat, beat, qos=0))

    def status(self) -> MessagingStatus:
        """A snapshot for ``doctor``, the log and the operator."""
        if self._client is None:
            return MessagingStatus(LinkStatus(LinkState.DISABLED))
        pump = self._pump.status
        return MessagingStatus(
            self._client.status,
            waiting=pump.waiting,
            in_flight=pump.in_flight,
            delivered=pump.delivered,
            dropped={stream.name.lower(): n for stream, n in pump.counts.dropped.items()},
            expired=pump.counts.expired,
            forbidden=pump.forbidden,
            commands={} if self._router is None else dataclasses.asdict(self._router.counts),
            sparkplug=LinkStatus(LinkState.DISABLED) if self._sparkplug is None else self._sparkplug.status,
            fault=pump.fault,
            durable=pump.durable,
        )

    # -- in the pump's and the network's threads -------------------------------------------------

    def _submit(self, *entries: OutboxEntry) -> None:
        self._enqueue(*entries)
        self._pump.turn_away()

    def _enqueue(self, *entries: OutboxEntry) -> None:
        """As :meth:`_submit`, also with the lock held: what is enqueued under it goes out in its order."""
        if self._started and entries:
            self._pump.enqueue(entries)

    def _show(self, what: Callable[[SparkplugNode], None]) -> None:
        """Have the Sparkplug node show something, from the pump's thread: in order, with no lock held."""
        node = self._sparkplug
        if node is not None:
            self._pump.enqueue_question(lambda: what(node))

    def _show_inspection(self, inspection: Inspection) -> None:
        totals = dict(self._totals)  # as they are now, not as they will be when the pump comes to it
        self._show(lambda node: node.inspection(inspection, totals))

    def _alarm_entry(self, change: AlarmChange) -> OutboxEntry:
        self._show(lambda node: node.alarms(change.mask, change.unacked))
        return OutboxEntry(Stream.ALARM, self.topics.alarm, payloads.alarm(change), retain=True)

    def _standing_alarms(self, outbox: Outbox) -> AlarmBook:
        """The alarms as they stood when the station last ran."""
        latest = dict(outbox.retained()).get(self.topics.alarm)
        fields = {} if latest is None else json.loads(latest)
        bits = {name: int(fields.get(name, 0)) for name in ("mask", "unacked")}
        return AlarmBook(self._settings.alarms, **bits)

    def _acknowledge_command(self, command: Command) -> str:
        try:
            codes = (AlarmCode(command.code),) if command.code else ()
        except ValueError:
            raise CommandRefusedError(f"There is no alarm {command.code}.") from None
        return f"{self.acknowledge(*codes)} alarms acknowledged."

    def _shaking_hands(self, handler: Handler) -> Handler:
        """A trigger's handler that takes part in the handshake, where there is one."""
        handshake = self.handshake

        def trigger(command: Command) -> str | Future[str]:
            if handshake is None:
                return handler(dataclasses.replace(command, acquisition=0))
            number = handshake.trigger(command.part_id)
            try:
                return handler(dataclasses.replace(command, acquisition=number))
            except EdgeError:
                handshake.abandon(number)
                raise

        return trigger

    def _result_ack_command(self, command: Command) -> str:
        if self.handshake is None:
            raise CommandRefusedError("The handshake is not enabled on this station.")
        self.handshake.acknowledge(command.acquisition)
        return f"acquisition {command.acquisition}"

    def _send_handshake(self, payload: bytes) -> None:
        if self._started:
            self._pump.ask(lambda: self._pump.send_live(self.topics.handshake, payload, retain=True))

    def _send_reply(self, answer: bytes) -> None:
        self._pump.ask(lambda: self._pump.send_live(self.topics.reply, answer))

    def _open_outbox(self, in_memory: bool) -> Outbox:
        limits = self._settings.outbox
        return Outbox(
            self._path,
            max_rows=limits.max_rows,
            max_bytes=int(limits.max_mb * 1e6),
            clock=self._clock.now,
            in_memory=in_memory,
        )

    def _on_reset(self) -> None:
        log.error(
            "MQTT outbox: %s was damaged or missing; a damaged one is kept beside the new one", self._path
        )
        self.event(EventCode.OUTBOX_RESET, _RESET)
        self.raise_alarm(AlarmCode.STORAGE, _RESET)

    def _on_expired(self, expired: dict[Stream, int]) -> None:
        for stream, count in expired.items():
            self._expired[stream] = self._expired.get(stream, 0) + count
        now = time.monotonic()
        if now - self._expired_told_s < _EXPIRED_PERIOD_S:
            return
        counts = " and ".join(f"{count} {stream.name.lower()}s" for stream, count in self._expired.items())
        self._expired, self._expired_told_s = {}, now
        text = (
            f"{counts} expired before they could be sent and were dropped (messaging.outbox: "
            "result_ttl_s, event_ttl_s)."
        )
        log.warning("MQTT outbox: %s", text)
        self.event(EventCode.EXPIRED, text)

    def _prepare_birth(self) -> Birth:
        birth = self._pump.next_birth()
        will = payloads.state(StationState.OFFLINE, birth, product="", bundle="", text="connection lost")
        return Birth(birth, self.topics.state, will)

    def _on_birth(self, session: BrokerSession) -> None:
        del session
        self._echo_by = time.monotonic() + _ECHO_S
        self._send_state()
        if self.handshake is not None:
            self._pump.send_live(self.topics.handshake, self.handshake.state.payload(), retain=True)

    def _send_state(self) -> None:
        session = self._pump.session
        if session is not None:
            with self._lock:
                state, texts = self._state, dict(self._state_texts)
            payload = payloads.state(state, session.birth, **texts)
            self._pump.send_live(self.topics.state, payload, retain=True)

    def _on_message(self, session: BrokerSession, topic: str, payload: bytes, retained: bool) -> None:
        command = self.topics.command_name(topic)
        if command is not None and self._router is not None:
            self._router.offer(command, payload, retained=retained)
        elif topic == self.topics.state and session is self._pump.session:
            self._watch_own_state(session, payload)

    def _watch_own_state(self, session: BrokerSession, payload: bytes) -> None:
        """An old will that arrives late (another broker, a bridge) must not stand as the last word."""
        try:
            birth = int(json.loads(payload)["birth"])
        except (ValueError, KeyError, TypeError):
            birth = -1
        if birth == session.birth:
            self._echo_by = float("inf")
            self._pump.note_forbidden(self.topics.state, "")
        elif birth < session.birth and self._echo_by == float("inf"):
            self._send_state()

    def _on_tick(self) -> None:
        self._clock.keep()
        if self.handshake is not None:
            self.handshake.check_time()
        # MQTT 3.1.1 acknowledges what its ACL throws away: only the missing echo tells.
        if self._pump.session is not None and time.monotonic() > self._echo_by:
            self._echo_by = float("inf")
            self._pump.note_forbidden(
                self.topics.state, "The broker does not deliver it back: its ACL forbids it."
            )


class _Memory:
    """The router's memory, in the outbox's file and thread."""

    def __init__(self, pump: Pump) -> None:
        self._pump = pump

    def recall(self, command_id: str) -> AnsweredCommand | None:
        known: AnsweredCommand | None = self._pump.ask(
            lambda: self._pump.outbox.command_answer(command_id)
        ).result()
        return known

    def remember(self, command_id: str, answered: AnsweredCommand) -> None:
        self._pump.ask(lambda: self._pump.outbox.remember_command(command_id, answered)).result()
