"""Commands from the PLC: each is done at most once, in time, and answered.

A command is a small JSON object on ``cmd/<name>`` with an ``id`` that its sender makes up. The
router answers on ``cmd/reply``. A repeat of an id gets the answer of the first and is not done
again, also after a restart of the station. A command is not done after its ``expires``, nor when
the broker had kept it (retained), nor, where the broker keeps a session for an absent station,
without an ``expires``: nothing stale is ever replayed.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from edge.errors import EdgeError, MessagingError
from edge.messaging import payloads
from edge.messaging.codes import ReplyCode

log = logging.getLogger(__name__)

#: What a station can be told, and the fields that the command cannot do without.
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "trigger": (),
    "product": ("product",),
    "ack": (),
    "pause": (),
    "resume": (),
    "enroll": ("count", "product"),
    "result_ack": ("acquisition",),
}

#: Commands that wait to be looked at; more at one time are counted and not answered.
MAX_WAITING = 100

#: A PLC's payload is small; what is longer is not even parsed.
MAX_BYTES = 511


class _Payload(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: Annotated[str, Field(min_length=1, max_length=64)]
    expires: Annotated[int, Field(ge=1)] = 0  # left out: none; 0 is a PLC's variable that nobody set
    product: Annotated[str, Field(max_length=64)] = ""
    part_id: Annotated[str, Field(max_length=64)] = ""
    count: Annotated[int, Field(ge=0)] = 0
    code: Annotated[int, Field(ge=0, le=31)] = 0
    acquisition: Annotated[int, Field(ge=0)] = 0

    @field_validator("id", "product", "part_id")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if value and not value.isprintable():
            raise ValueError("has characters that cannot be printed")
        return value


@dataclass(frozen=True)
class Command:
    """One valid command.

    Attributes:
        name: ``trigger``, ``product`` …
        id: the sender's.
        expires: Unix time in seconds after which it must not be done; infinite where none was given.
        product, part_id, count, code, acquisition: as in the schema ``cmd``; empty or 0 where not given.
            The ``acquisition`` of a ``trigger`` is the handshake's own number; 0 without a handshake.
    """

    name: str
    id: str
    expires: float = float("inf")
    product: str = ""
    part_id: str = ""
    count: int = 0
    code: int = 0
    acquisition: int = 0

    def expired(self, now: float | None = None) -> bool:
        """Whether it is too late; to be asked again right before it takes effect."""
        return (time.time() if now is None else now) > self.expires


#: Does a command. Returns the sentence of the reply, or a future of it where the command takes
#: effect later (the sender is told ``accepted`` first). An :class:`EdgeError` refuses the command.
Handler = Callable[[Command], "str | Future[str]"]


class CommandRefusedError(MessagingError):
    """A command that the station will not do now."""

    code = "refused"


class Memory(Protocol):
    """Answers by command id, on disk."""

    def recall(self, command_id: str) -> bytes | None: ...
    def remember(self, command_id: str, answer: bytes) -> None: ...


@dataclass
class CommandCounts:
    """What came in since the start.

    Attributes:
        answered: answers sent; a command that takes effect later has two.
        unanswerable: payloads without an id that can be read: nobody waits for an answer.
        overflowed: more at one time than can wait.
    """

    answered: int = 0
    unanswerable: int = 0
    overflowed: int = 0


class CommandRouter:
    """Checks commands, hands them to their handlers one after the other, and answers.

    Args:
        handlers: by command name; a name without one is answered ``unknown``.
        reply: sends an answer; called from the router's and the handlers' threads.
        memory: remembers answers across restarts.
        needs_expiry: whether a command without ``expires`` may be an old one.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        *,
        reply: Callable[[bytes], None],
        memory: Memory,
        needs_expiry: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._handlers = dict(handlers)
        self._reply = reply
        self._memory = memory
        self._needs_expiry = needs_expiry
        self._clock = clock
        self._room = threading.BoundedSemaphore(MAX_WAITING)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="mqtt-commands")
        # A second thread, because a future catches whatever a handler raises, also its own mistakes.
        self._doer = ThreadPoolExecutor(1, thread_name_prefix="mqtt-handlers")
        self._pending: set[str] = set()  # accepted, not finished
        self.counts = CommandCounts()

    def offer(self, name: str, payload: bytes, *, retained: bool = False) -> None:
        """Take a message of ``cmd/<name>``. Returns at once; what is too much is counted."""
        if not self._room.acquire(blocking=False):
            self.counts.overflowed += 1
            return
        work = self._worker.submit(self._process, name, payload, retained)
        work.add_done_callback(self._processed)

    def close(self) -> None:
        """Finish the command in hand; those that wait are not done."""
        self._worker.shutdown(wait=True, cancel_futures=True)
        self._doer.shutdown(wait=True)

    def _processed(self, work: Future[None]) -> None:
        self._room.release()
        if not work.cancelled() and (error := work.exception()) is not None:
            log.error("MQTT: a command could not be processed: %s", error)

    def _process(self, name: str, payload: bytes, retained: bool) -> None:
        try:
            command = parse(name, payload)
        except MessagingError as error:
            self._answer_unreadable(name, payload, error)
            return
        if command.id in self._pending:
            self._send(payloads.reply(command.id, name, ReplyCode.ACCEPTED, "It is being done."))
            return
        known = self._memory.recall(command.id)
        if known is not None:
            self._send(known)
            return
        refusal = self._refusal(command, retained)
        if refusal is not None:
            self._send(payloads.reply(command.id, name, *refusal))
            return
        # Durable before it is done: after a crash in between it is not done a second time.
        unsure = "The station stopped while it did this; send a new id if it is still wanted."
        self._memory.remember(command.id, payloads.reply(command.id, name, ReplyCode.FAILED, unsure))
        self._pending.add(command.id)
        handled = self._doer.submit(self._handlers[name], command)
        outcome = None if handled.exception() is not None else handled.result()
        if isinstance(outcome, Future):
            self._send(payloads.reply(command.id, name, ReplyCode.ACCEPTED, ""))
            outcome.add_done_callback(lambda done: self._finish(command, done))
        else:
            self._finish(command, handled)

    def _finish(self, command: Command, done: Future[str] | Future[str | Future[str]]) -> None:
        error = None if done.cancelled() else done.exception()
        if done.cancelled():
            code, text = ReplyCode.REFUSED, "The command was taken back."
        elif isinstance(error, EdgeError):
            code, text = ReplyCode.REFUSED, str(error)
        elif error is not None:
            log.error("MQTT: the command %r failed", command.name, exc_info=error)
            code, text = ReplyCode.FAILED, f"{type(error).__name__}: {error}"
        else:
            code, text = ReplyCode.DONE, str(done.result())
        answer = payloads.reply(command.id, command.name, code, text)
        try:
            self._memory.remember(command.id, answer)
        except MessagingError as fault:
            log.error("MQTT: %s", fault)  # the answer is sent all the same
        self._pending.discard(command.id)
        self._send(answer)

    def _refusal(self, command: Command, retained: bool) -> tuple[ReplyCode, str] | None:
        if command.name not in self._handlers:
            names = ", ".join(sorted(self._handlers)) or "none"
            return ReplyCode.UNKNOWN, f"This station knows the commands: {names}."
        if retained:
            return ReplyCode.REFUSED, "A retained command is never done; publish it without retain."
        if command.expired(self._clock()):
            return ReplyCode.EXPIRED, "It came after its 'expires'; compare the clocks."
        if self._needs_expiry and command.expires == float("inf"):
            return ReplyCode.REFUSED, "This broker keeps commands: give 'expires'."
        return None

    def _answer_unreadable(self, name: str, payload: bytes, error: MessagingError) -> None:
        command_id = _readable_id(payload)
        if command_id:
            self._send(payloads.reply(command_id, name, ReplyCode.MALFORMED, str(error)))
        else:
            self.counts.unanswerable += 1

    def _send(self, answer: bytes) -> None:
        self.counts.answered += 1
        self._reply(answer)


def parse(name: str, payload: bytes) -> Command:
    """The command in a payload.

    Raises:
        MessagingError: it is not what the schema ``cmd`` asks for.
    """
    try:
        fields = _Payload.model_validate(_object(payload))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "payload"
        raise MessagingError(f"'{where[:40]}': {first['msg']}.") from None
    for required in COMMANDS.get(name, ()):
        if not getattr(fields, required):
            raise MessagingError(f"'{required}' is missing.")
    expires = fields.expires / 1000 if fields.expires else float("inf")
    return Command(
        name,
        fields.id,
        expires,
        fields.product,
        fields.part_id,
        fields.count,
        fields.code,
        fields.acquisition,
    )


def _object(payload: bytes) -> dict[str, object]:
    if len(payload) > MAX_BYTES:
        raise MessagingError(f"It has {len(payload)} bytes; at most {MAX_BYTES} are read.")
    try:
        fields = json.loads(payload.decode())
    except (ValueError, RecursionError):
        raise MessagingError("It is not JSON in UTF-8.") from None
    if not isinstance(fields, dict):
        raise MessagingError("It is not a JSON object.")
    return fields


def _readable_id(payload: bytes) -> str:
    try:
        command_id = _object(payload).get("id")
    except MessagingError:
        return ""
    return command_id[:64] if isinstance(command_id, str) else ""
