"""The language worker's own process, started by :mod:`edge.language.worker`.

A verdict never waits for words: sentences are written token by token, and before each token the
verdicts that came in meanwhile are made. The process ends when the other side of its connection
closes, so it never outlives the station.
"""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from multiprocessing.connection import Connection

from edge.errors import EdgeError, LanguageError
from edge.language.model import LanguageModel, Reading
from edge.language.requests import (
    QuestionRequest,
    ReleaseRequest,
    SentenceRequest,
    VerdictRequest,
    WorkerFailed,
    WorkerReady,
    WorkerReply,
    WorkerRequest,
    WorkerSetup,
)
from edge.language.runner import Runner
from edge.language.words import prompt_for


class _RequestServer:
    """The requests of one connection, served with one runner."""

    def __init__(self, runner: Runner, connection: Connection) -> None:
        self._runner = runner
        self._connection = connection
        self._arrived: queue.SimpleQueue[WorkerRequest | None] = queue.SimpleQueue()
        self._verdicts: deque[tuple[WorkerRequest, VerdictRequest]] = deque()
        self._texts: deque[WorkerRequest] = deque()
        self._writing: tuple[WorkerRequest, Iterator[str], list[str]] | None = None
        # A thread of its own, so that the station's sender never waits for a computation.
        threading.Thread(target=self._receive, name="language-requests", daemon=True).start()

    def serve(self) -> None:
        """Works until the station closes the connection."""
        while self._take_arrivals():
            if self._verdicts:
                self._judge(*self._verdicts.popleft())
            else:
                self._write_on()

    def _receive(self) -> None:
        try:
            while True:
                self._arrived.put(self._connection.recv())
        except (EOFError, OSError):
            self._arrived.put(None)

    def _take_arrivals(self) -> bool:
        """Sorts what came in, and waits for it where there is nothing to do; False when all is over."""
        idle = not (self._verdicts or self._texts or self._writing)
        while True:
            try:
                request = self._arrived.get(block=idle)
            except queue.Empty:
                return True
            if request is None:
                return False
            if isinstance(request.work, VerdictRequest):
                self._verdicts.append((request, request.work))
            elif isinstance(request.work, ReleaseRequest) and not self._is_talked_about(
                request.work.dialogue
            ):
                # At once, not behind other parts' words: newer parts need the room.
                self._release(request, request.work)
            else:
                self._texts.append(request)
            idle = not (self._verdicts or self._texts or self._writing)

    def _judge(self, request: WorkerRequest, work: VerdictRequest) -> None:
        try:
            _check_deadline(request)
            result: Reading | EdgeError = self._runner.judge(work.prompt, work.rows)
        except EdgeError as error:
            result = error
        self._reply(request, result)

    def _write_on(self) -> None:
        """Begins the next text, or adds one piece to the one that is being written."""
        if self._writing is None:
            request = self._texts.popleft()
            if isinstance(request.work, ReleaseRequest):
                self._release(request, request.work)
                return
            self._writing = request, self._begin(request), []
        request, pieces, written = self._writing
        try:
            _check_deadline(request)
            piece = next(pieces, None)
        except EdgeError as error:
            self._writing = None
            self._reply(request, error)
            return
        if piece is not None:
            written.append(piece)
            return
        self._writing = None
        self._reply(request, "".join(written))

    def _is_talked_about(self, dialogue: int) -> bool:
        """Whether words about this part are being written or are asked for."""
        written = () if self._writing is None else (self._writing[0],)
        return any(
            isinstance(request.work, (SentenceRequest, QuestionRequest)) and request.work.dialogue == dialogue
            for request in (*written, *self._texts)
        )

    def _release(self, request: WorkerRequest, work: ReleaseRequest) -> None:
        self._runner.release(work.dialogue)
        self._reply(request, None)

    def _begin(self, request: WorkerRequest) -> Iterator[str]:
        work = request.work
        if isinstance(work, SentenceRequest):
            yield from self._runner.answer(work.dialogue, work.most_tokens)
        elif isinstance(work, QuestionRequest):
            yield from self._runner.ask(work.dialogue, work.question, work.most_tokens)

    def _reply(self, request: WorkerRequest, result: Reading | str | EdgeError | None) -> None:
        self._connection.send(WorkerReply(request.number, result))


def _check_deadline(request: WorkerRequest) -> None:
    if time.monotonic() > request.deadline:
        raise LanguageError("The language model did not finish in time.")


def _read_a_prompt(runner: Runner, model: LanguageModel) -> None:
    """Once before any part: what crashes over its first computation shall cost none its verdict."""
    if model.base_rows is not None:
        runner.release(runner.judge(prompt_for(), model.base_rows).dialogue)


def main(descriptor: int) -> None:
    """Serves the connection behind an inherited file descriptor."""
    # Ctrl-C goes to the whole group of processes; the station decides when the worker ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(descriptor)
    setup: WorkerSetup = connection.recv()
    try:
        runner = Runner(setup.model, setup.limits, setup.kernel)
        _read_a_prompt(runner, setup.model)
    except EdgeError as error:
        connection.send(WorkerFailed(error))
        return
    with runner:
        connection.send(WorkerReady())
        try:
            _RequestServer(runner, connection).serve()
        except BrokenPipeError:
            return  # The station went away while a reply was on its way.
