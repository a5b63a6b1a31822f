"""What is said between a station and its language worker, over a connection that only they share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge.errors import EdgeError
from edge.language.context import Rows
from edge.language.model import LanguageModel, ModelLimits, Prompt, Reading


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """The first message to a worker: what to load. Answered by :class:`WorkerReady` or :class:`WorkerFailed`.

    Attributes:
        model, limits: as for :class:`Runner`.
        kernel: the library of the variant that computes.
    """

    model: LanguageModel
    limits: ModelLimits
    kernel: Path


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """The worker has loaded its model and has read a prompt with it."""


@dataclass(frozen=True, slots=True)
class WorkerFailed:
    """The worker cannot load its model, and ends."""

    error: EdgeError


@dataclass(frozen=True, slots=True)
class VerdictRequest:
    """Asks for a verdict on a part; answered with a :class:`Reading`."""

    prompt: Prompt
    rows: Rows


@dataclass(frozen=True, slots=True)
class SentenceRequest:
    """Asks for the sentence about a part; answered with a string."""

    dialogue: int
    most_tokens: int


@dataclass(frozen=True, slots=True)
class QuestionRequest:
    """Asks a follow-up question; answered with a string."""

    dialogue: int
    question: str
    most_tokens: int


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """Ends a dialogue; answered with None."""

    dialogue: int


@dataclass(frozen=True, slots=True)
class WorkerRequest:
    """One message to the worker.

    Attributes:
        number: the reply carries it.
        deadline: on the clock of ``time.monotonic``, which processes of one machine share; after it
            nobody waits for the reply.
        work: what to do.
    """

    number: int
    deadline: float
    work: VerdictRequest | SentenceRequest | QuestionRequest | ReleaseRequest


@dataclass(frozen=True, slots=True)
class WorkerReply:
    """One message from the worker: the result, or the error instead of it."""

    number: int
    result: Reading | str | EdgeError | None
