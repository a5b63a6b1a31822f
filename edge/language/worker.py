"""The language model in a process of its own: a station survives whatever happens in there.

A worker that dies or hangs is killed and started again, at once and then with growing pauses; one that
dies of a wrong instruction or memory access, with the next variant of the kernels. A verdict that was
under way is asked for again, within its deadline; words and dialogues of before are gone, and whoever
waits for them gets a LanguageError at once.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import queue
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import TracebackType

from edge.errors import EdgeError, LanguageError
from edge.language.context import Rows
from edge.language.kernels import Kernel, Kernels
from edge.language.model import LanguageModel, Limits, Prompt, Reading
from edge.language.requests import Answer, Ask, Failed, Judge, Ready, Release, Reply, Request, Setup

Result = Reading | str | EdgeError | None

_PAUSES_S = (0.0, 0.5, 2.0, 5.0, 15.0, 30.0)
"""Before the first restart, the second in a row, …; a verdict that was made begins it anew."""

_LOADING_S = 60.0
_HUNG_S = 5.0  # A worker answers every request about at its deadline, if only with an error.
_ENDING_S = 2.0
_POLL_S = 0.2
_UNEXPLAINED = LanguageError("The language worker ended while it was loading.")
_TRIES = 2  # A verdict that kills two workers would kill the third.


@dataclass(slots=True)
class _Pending:
    """A request that somebody waits for."""

    request: Request
    result: concurrent.futures.Future[Result] = field(default_factory=concurrent.futures.Future)
    tries: int = 0


class LanguageWorker:
    """A runner in its own process, for any number of threads.

    ::

        with LanguageWorker(model) as worker:
            reading = worker.judge(prompt, rows, timeout_s=2.0)
            sentence = worker.answer(reading.dialogue)

    Args:
        model: the GGUF and how embeddings enter it.
        limits: threads, room and the number of dialogues.
        most_waiting: requests under way at a time; one more is refused at once.

    Attributes:
        restarts: how often the process ended and another one was, or is to be, started.
    """

    def __init__(self, model: LanguageModel, limits: Limits | None = None, most_waiting: int = 32) -> None:
        self.limits = limits or Limits()
        self._model = model
        self._kernels = Kernels(model, self.limits)
        self._kernel: Kernel | None = None
        self._most_waiting = most_waiting
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._pending: dict[int, _Pending] = {}
        self._child: _Child | None = None  # Only while it takes requests.
        self._trouble: EdgeError | None = None
        self._last_end = "ended"
        self._started = threading.Event()
        self._closing = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="language-worker", daemon=True)
        self.restarts = 0

    @property
    def trouble(self) -> str:
        """Why there is no process that takes requests; empty where there is one."""
        if self._child is not None or self._closing.is_set():
            return ""
        return str(self._trouble or f"The language worker {self._last_end}, and is being started again.")

    @property
    def kernel(self) -> str:
        """The variant of the kernels that the last process was started with; empty before the first."""
        return self._kernel.name if self._kernel is not None else ""

    @property
    def pid(self) -> int | None:
        """The process that takes requests now; None while there is none."""
        child = self._child
        return child.process.pid if child is not None else None

    def start(self) -> None:
        """Starts the process and waits until its model is loaded.

        Raises:
            LanguageError: llama.cpp is missing, or the file is not what the bundle says.
        """
        self._supervisor.start()
        self._started.wait()
        if self._child is None and self._trouble is not None:
            self.close()
            raise self._trouble

    def judge(self, prompt: Prompt, rows: Rows, timeout_s: float = 5.0) -> Reading:
        """A verdict on a part; comes before all words. See :meth:`Runner.judge`.

        Raises:
            LanguageError: the runner refuses the rows, or there is no verdict in time.
        """
        reading = self._call(Judge(prompt, rows), timeout_s)
        assert isinstance(reading, Reading)
        return reading

    def answer(self, dialogue: int, most_tokens: int = 64, timeout_s: float = 30.0) -> str:
        """The sentence about a part. See :meth:`Runner.answer`.

        Raises:
            LanguageError: the dialogue is over, or the words are not there in time.
        """
        return str(self._call(Answer(dialogue, most_tokens), timeout_s))

    def ask(self, dialogue: int, question: str, most_tokens: int = 64, timeout_s: float = 30.0) -> str:
        """The answer to a follow-up question. See :meth:`Runner.ask`.

        Raises:
            LanguageError: the dialogue is over or full, or the words are not there in time.
        """
        return str(self._call(Ask(dialogue, question, most_tokens), timeout_s))

    def release(self, dialogue: int) -> None:
        """Ends a dialogue after the words that were asked for; waits for nothing."""
        with self._lock:
            if self._child is not None:
                self._child.send(
                    Request(next(self._numbers), time.monotonic() + _LOADING_S, Release(dialogue))
                )

    def close(self) -> None:
        """Ends the process; whoever still waits gets a LanguageError. May be called twice."""
        self._closing.set()
        if self._supervisor.is_alive():
            self._supervisor.join()

    def __enter__(self) -> LanguageWorker:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, work: Judge | Answer | Ask, timeout_s: float) -> Result:
        request = Request(next(self._numbers), time.monotonic() + timeout_s, work)
        pending = _Pending(request)
        with self._lock:
            self._require_service(work)
            self._pending[request.number] = pending
            if self._child is not None:
                pending.tries += 1
                self._child.send(request)
        try:
            result = pending.result.result(timeout_s)
        except concurrent.futures.TimeoutError:
            reason = f" It does not start: {self._trouble}" if self._trouble is not None else ""
            raise LanguageError(
                f"The language model did not answer within {timeout_s:g} s.{reason}"
            ) from None
        finally:
            with self._lock:
                del self._pending[request.number]
        if isinstance(result, EdgeError):
            raise result
        return result

    def _require_service(self, work: Judge | Answer | Ask) -> None:
        if self._closing.is_set() or not self._started.is_set():
            raise LanguageError("The language worker is not running.")
        if len(self._pending) >= self._most_waiting:
            raise LanguageError(f"{len(self._pending)} requests wait for the language model already.")
        if self._child is None and not isinstance(work, Judge):
            raise _lost()

    def _supervise(self) -> None:
        failures = 0
        while not self._closing.wait(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)]):
            try:
                self._kernel = self._kernels.choose(self._closing)
            except LanguageError as error:
                self._trouble = error
                failures += 1
                self.restarts += 1
                self._drop_lost()
                self._started.set()
                continue
            child = _Child(Setup(self._model, self.limits, self._kernel.library))
            made_verdicts = self._serve(child)
            with self._lock:
                self._child = None
            child.end(patience_s=_ENDING_S if self._closing.is_set() else 0.0)
            if not self._closing.is_set():
                failures = 0 if made_verdicts else failures + 1
                self._last_end = self._kernels.died(self._kernel, child.process.returncode)
                if self._trouble is _UNEXPLAINED:
                    self._trouble = LanguageError(
                        f"The language worker {self._last_end} while it was loading."
                    )
                self.restarts += 1
            self._drop_lost()
            self._started.set()

    def _serve(self, child: _Child) -> bool:
        """Hands replies to those who wait until the worker ends; whether it made a verdict."""
        made_verdicts = ready = False
        try:
            greeting = child.receive(_LOADING_S, self._closing)
            ready = isinstance(greeting, Ready)
            if not ready:
                self._note_trouble(greeting)
                return False
            self._open(child)
            while not self._closing.is_set() and not child.is_hung():
                reply = child.receive(_POLL_S, self._closing)
                if isinstance(reply, Reply):
                    made_verdicts |= isinstance(reply.result, Reading)
                    self._deliver(reply)
        except (EOFError, OSError):
            if not ready:
                self._note_trouble(None)
        return made_verdicts

    def _note_trouble(self, greeting: object) -> None:
        self._trouble = greeting.error if isinstance(greeting, Failed) else _UNEXPLAINED

    def _open(self, child: _Child) -> None:
        """Lets requests through to a worker that is ready, those first that wait for it."""
        with self._lock:
            self._trouble = None
            self._child = child
            for pending in self._pending.values():
                pending.tries += 1
                child.send(pending.request)
        self._started.set()

    def _deliver(self, reply: Reply) -> None:
        with self._lock:
            pending = self._pending.get(reply.number)
        if pending is not None:
            pending.result.set_result(reply.result)

    def _drop_lost(self) -> None:
        """Tells those who wait for what no later worker can give."""
        with self._lock:
            for pending in self._pending.values():
                if pending.result.done():
                    continue
                if self._closing.is_set():
                    pending.result.set_result(LanguageError("The language worker was closed."))
                elif not isinstance(pending.request.work, Judge):
                    pending.result.set_result(_lost())
                elif pending.tries >= _TRIES:
                    pending.result.set_result(
                        LanguageError(f"The language worker died {pending.tries} times over this part.")
                    )


class _Child:
    """One process, our end of its connection, and a thread that writes to it."""

    def __init__(self, setup: Setup) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            # -I and a handed-over path: the worker imports exactly what this process imports.
            start = (
                "import sys; _, number, *sys.path = sys.argv;"
                "from edge.language.serve import main; main(int(number))"
            )
            number = theirs.fileno()
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-c", start, str(number), *sys.path],
                pass_fds=[number],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        self._connection = Connection(ours.detach())
        self._outbox: queue.SimpleQueue[Setup | Request | None] = queue.SimpleQueue()
        self._deadlines: dict[int, float] = {}
        self._sender = threading.Thread(target=self._send_all, name="language-sender", daemon=True)
        self._sender.start()
        self._outbox.put(setup)

    def send(self, request: Request) -> None:
        """Queues a request; never waits."""
        self._deadlines[request.number] = request.deadline
        self._outbox.put(request)

    def receive(self, timeout_s: float, stop: threading.Event) -> object:
        """The worker's next message; None after the time, or soon after ``stop`` is set.

        Raises:
            EOFError, OSError: the worker is gone.
        """
        end = time.monotonic() + timeout_s
        while not self._connection.poll(_POLL_S):
            if stop.is_set() or time.monotonic() >= end:
                return None
        message: object = self._connection.recv()
        if isinstance(message, Reply):
            self._deadlines.pop(message.number, None)
        return message

    def is_hung(self) -> bool:
        """Whether a request was not answered well after its deadline."""
        return any(time.monotonic() > deadline + _HUNG_S for deadline in list(self._deadlines.values()))

    def end(self, patience_s: float) -> None:
        """Closes the connection, upon which a healthy worker ends; kills it after the patience."""
        self._outbox.put(None)
        if patience_s == 0:
            self.process.kill()
        self._sender.join(patience_s or None)
        if not self._sender.is_alive():
            self._connection.close()
        try:
            self.process.wait(patience_s or None)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self._sender.join()
            self._connection.close()

    def _send_all(self) -> None:
        try:
            while (message := self._outbox.get()) is not None:
                self._connection.send(message)
        except OSError:
            return  # The worker is gone; the supervisor sees it too, and tells those who wait.


def _lost() -> LanguageError:
    return LanguageError(
        "The language worker was restarted, the dialogue is lost.", "Inspect the part again."
    )
