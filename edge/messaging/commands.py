"""Commands from the PLC: each is done at most once, in time, and answered.

A command is a small JSON object on ``cmd/<name>`` with an ``id`` that its sender makes up. The
router answers on ``cmd/reply``. A repeat of an id gets the answer of the first and is not done
again, also after a restart of the station; an id that comes again with another command is refused.
A command is not done where the station's file does not allow it, nor after its ``expires``, nor when
it was published to be kept (retained), nor, where the broker keeps a session for an absent station,
without an ``expires``: nothing stale is ever replayed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Annotated, NamedTuple, Protocol

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

#: Every number of a command: what a double still counts one by one, as in any JSON.
_Number = Annotated[int, Field(ge=0, le=2**53)]


class _Payload(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: Annotated[str, Field(min_length=1, max_length=64)]
    expires: Annotated[_Number, Field(ge=1)] = 0  # left out: none; 0 is a PLC's variable that nobody set
    product: Annotated[str, Field(max_length=64)] = ""
    part_id: Annotated[str, Field(max_length=64)] = ""
    count: _Number = 0
    code: Annotated[int, Field(ge=0, le=31)] = 0
    acquisition: _Number = 0
    by: Annotated[str, Field(max_length=64)] = ""

    @field_validator("id", "product", "part_id", "by")
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
        product, part_id, count, code, acquisition, by: as in the schema ``cmd``; empty or 0 where not given.
            The ``acquisition`` of a ``trigger`` is the handshake's own number; 0 without a handshake.
        deadline_s: ``expires`` on this computer's monotonic clock, set when the command comes in.
    """

    name: str
    id: str
    expires: float = float("inf")
    product: str = ""
    part_id: str = ""
    count: int = 0
    code: int = 0
    acquisition: int = 0
    by: str = ""
    deadline_s: float = field(default=float("inf"), compare=False)

    def expired(self) -> bool:
        """Whether it is too late; to be asked again right before it takes effect."""
        return time.monotonic() > self.deadline_s

    @property
    def asked(self) -> str:
        """What it asks for, in a few characters; a repeat, which may have a new ``expires``, has the same."""
        fields = (self.name, self.product, self.part_id, self.count, self.code, self.acquisition, self.by)
        return hashlib.sha256(json.dumps(fields).encode()).hexdigest()[:16]

    @property
    def sender(self) -> str:
        """Who asked, as far as the command tells: MQTT does not say who published a message."""
        said = f"{self.by!r}" if self.by else "a sender without a name"
        return f"{said} (cmd/{self.name}, id {self.id!r})"


#: Does a command. Returns the sentence of the reply, or a future of it where the command takes
#: effect later (the sender is told ``accepted`` first). An :class:`EdgeError` refuses the command.
Handler = Callable[[Command], "str | Future[str]"]


class CommandRefusedError(MessagingError):
    """A command that the station will not do now."""

    code = "refused"


class AnsweredCommand(NamedTuple):
    """A command that came before: what it asked for (empty: not known any more), and its answer."""

    asked: str
    answer: bytes


class CommandMemory(Protocol):
    """Answers by command id, on disk."""

    def recall(self, command_id: str) -> AnsweredCommand | None: ...
    def remember(self, command_id: str, answered: AnsweredCommand) -> None: ...


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
        allowed: the commands that this station takes.
        needs_expiry: whether a command without ``expires`` may be an old one.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        *,
        reply: Callable[[bytes], None],
        memory: CommandMemory,
        allowed: Collection[str] = tuple(COMMANDS),
        needs_expiry: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._handlers = dict(handlers)
        self._reply = reply
        self._memory = memory
        self._allowed = frozenset(allowed)
        self._needs_expiry = needs_expiry
        self._clock = clock
        self._room = threading.BoundedSemaphore(MAX_WAITING)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="mqtt-commands")
        # A second thread, because a future catches whatever a handler raises, also its own mistakes.
        self._doer = ThreadPoolExecutor(1, thread_name_prefix="mqtt-handlers")
        self._pending: dict[str, str] = {}  # accepted, not finished: id to what was asked
        self.counts = CommandCounts()

    def offer(self, name: str, payload: bytes, *, retained: bool = False) -> None:
        """Take a message of ``cmd/<name>``. Returns at once; what is too much is counted."""
        if not self._room.acquire(blocking=False):
            self.counts.overflowed += 1
            return
        work = self._worker.submit(self._process, name, payload, retained)
        work.add_done_callback(lambda done: self._processed(name, payload, done))

    def close(self) -> None:
        """Finish the command in hand; those that wait are not done."""
        self._worker.shutdown(wait=True, cancel_futures=True)
        self._doer.shutdown(wait=True)

    def _processed(self, name: str, payload: bytes, work: Future[None]) -> None:
        self._room.release()
        if work.cancelled() or (error := work.exception()) is None:
            return
        log.error("MQTT: a command could not be processed: %s", error)
        self._answer_by_id(name, payload, ReplyCode.FAILED, str(error))

    def _process(self, name: str, payload: bytes, retained: bool) -> None:
        try:
            command = parse(name, payload)
        except MessagingError as error:
            self._answer_by_id(name, payload, ReplyCode.MALFORMED, str(error))
            return
        if self._is_known(command):
            return
        now = self._clock()
        refusal = self._refusal(command, retained, now)
        if refusal is not None:
            self._send(payloads.reply(command.id, name, *refusal))
            return
        # From here on no step of the clock makes it early or late.
        command = replace(command, deadline_s=time.monotonic() + command.expires - now)
        # Durable before it is done: after a crash in between it is not done a second time.
        unsure = (
            "The station stopped while executing this command; if it is still needed, send "
            "it again with a new id."
        )
        try:
            self._remember(command, payloads.reply(command.id, name, ReplyCode.FAILED, unsure))
        except MessagingError as error:
            self._send(payloads.reply(command.id, name, ReplyCode.REFUSED, f"Not done: {error}"))
            return
        self._pending[command.id] = command.asked
        handled = self._doer.submit(self._handlers[name], command)
        outcome = None if handled.exception() is not None else handled.result()
        if isinstance(outcome, Future):
            self._send(payloads.reply(command.id, name, ReplyCode.ACCEPTED, ""))
            outcome.add_done_callback(lambda done: self._finish(command, done))
        else:
            self._finish(command, handled)

    def _is_known(self, command: Command) -> bool:
        """Answer a command whose id came before: a repeat as the first, another command with a refusal."""
        known = self._memory.recall(command.id)
        asked = self._pending.get(command.id, "" if known is None else known.asked)
        if asked and asked != command.asked:
            text = "This id was already used for another command; use a new id for every command."
            self._send(payloads.reply(command.id, command.name, ReplyCode.REFUSED, text))
        elif command.id in self._pending:
            self._send(payloads.reply(command.id, command.name, ReplyCode.ACCEPTED, "It is in progress."))
        elif known is not None:
            self._send(known.answer)
        else:
            return False
        return True

    def _remember(self, command: Command, answer: bytes) -> None:
        self._memory.remember(command.id, AnsweredCommand(command.asked, answer))

    def _finish(self, command: Command, done: Future[str] | Future[str | Future[str]]) -> None:
        error = None if done.cancelled() else done.exception()
        if done.cancelled():
            code, text = ReplyCode.REFUSED, "The command was withdrawn."
        elif isinstance(error, EdgeError):
            code, text = ReplyCode.REFUSED, str(error)
        elif error is not None:
            log.error("MQTT: the command %r failed", command.name, exc_info=error)
            code, text = ReplyCode.FAILED, f"{type(error).__name__}: {error}"
        else:
            code, text = ReplyCode.DONE, str(done.result())
        answer = payloads.reply(command.id, command.name, code, text)
        try:
            self._remember(command, answer)
        except MessagingError as fault:
            log.error("MQTT: %s", fault)  # the answer is sent all the same
        self._pending.pop(command.id, None)
        self._send(answer)

    def _refusal(self, command: Command, retained: bool, now: float) -> tuple[ReplyCode, str] | None:
        if command.name not in self._handlers:
            names = ", ".join(sorted(self._allowed & self._handlers.keys())) or "none"
            return ReplyCode.UNKNOWN, f"This station knows the commands: {names}."
        if command.name not in self._allowed:
            return (
                ReplyCode.REFUSED,
                "This station does not accept this command; 'messaging.commands' in its station "
                "file lists those it does.",
            )
        if retained:
            return ReplyCode.REFUSED, "Retained commands are never executed; publish it without retain."
        if now > command.expires:
            return ReplyCode.EXPIRED, "It arrived after its 'expires'; compare the clocks."
        if self._needs_expiry and command.expires == float("inf"):
            return ReplyCode.REFUSED, "This broker keeps commands while the station is away: set 'expires'."
        return None

    def _answer_by_id(self, name: str, payload: bytes, code: ReplyCode, text: str) -> None:
        """Answer what is no command, where at least its id can be read."""
        command_id = _readable_id(payload)
        if command_id:
            self._send(payloads.reply(command_id, name, code, text))
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
        fields.by,
    )


def _object(payload: bytes) -> dict[str, object]:
    if len(payload) > MAX_BYTES:
        raise MessagingError(f"It has {len(payload)} bytes; the limit is {MAX_BYTES}.")
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
