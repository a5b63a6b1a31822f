"""The language model in a process of its own: a station survives whatever happens in there.

A worker that dies or hangs is killed and started again, at once and then with growing pauses, for
as long as it takes; one that dies of a wrong instruction or memory access, with the next variant of the
kernels. A verdict that was under way is asked for once more, where the next process can be there within
its deadline. While there is none, or while the one there is is late with a part, whoever asks gets a
LanguageError at once: nobody waits for what is known not to come. Words and dialogues of before are gone.
"""

from __future__ import annotations

import concurrent.futures
import copy
import itertools
import logging
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

from edge.errors import EdgeError, LanguageError
from edge.language.child import Child
from edge.language.context import Rows
from edge.language.ending import ended, not_started
from edge.language.kernels import Kernel, Kernels
from edge.language.model import LanguageModel, ModelLimits, Prompt, Reading
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

Result = Reading | str | EdgeError | None

log = logging.getLogger(__name__)

_PAUSES_S = (0.0, 0.5, 2.0, 5.0, 15.0, 30.0, 60.0)
"""Before the first restart, the second in a row, …; a verdict that was made begins it anew."""

_LOADING_S = 60.0
_ENDING_S = 2.0
_POLL_S = 0.2
_TRIES = 2  # A verdict that kills two workers would kill the third.

_LATE = "The language model did not finish an earlier part in time and is still working on it."


@dataclass(slots=True)
class _Pending:
    """A request that somebody waits for."""

    request: WorkerRequest
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
        failures: how many of them in a row made no verdict, the last ones.
        loads: how often a process came to take requests.
    """

    def __init__(
        self, model: LanguageModel, limits: ModelLimits | None = None, most_waiting: int = 32
    ) -> None:
        self.limits = limits or ModelLimits()
        self._model = model
        self._kernels = Kernels(model, self.limits)
        self._kernel: Kernel | None = None
        self._most_waiting = most_waiting
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._pending: dict[int, _Pending] = {}
        self._child: Child | None = None  # Only while it takes requests.
        self._trouble: EdgeError = LanguageError("The language worker is starting.")
        self._loading_s = 0.0  # what it took last time
        self._started = threading.Event()
        self._closing = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="language-worker", daemon=True)
        self.restarts = 0
        self.failures = 0
        self.loads = 0

    @property
    def trouble(self) -> str:
        """Why no verdict can be had now, and what to do; empty where one can."""
        child = self._child
        if self._closing.is_set():
            return ""
        if child is None:
            return str(self._trouble)
        return _LATE if child.is_late() else ""

    @property
    def kernel(self) -> str:
        """The variant of the kernels that the last process was started with; empty before the first."""
        return self._kernel.name if self._kernel is not None else ""

    @property
    def pid(self) -> int | None:
        """The process that takes requests now; None while there is none."""
        child = self._child
        return child.process.pid if child is not None else None

    def start(self, patience_s: float | None = None) -> None:
        """Starts the process and waits until its model is loaded and has read a prompt.

        Args:
            patience_s: of whoever can do without it, and goes on then: the process is started again and
                again meanwhile, and :attr:`trouble` says why it is not there. None: one that does not come
                to that is an error, and nothing is left of it.

        Raises:
            LanguageError: llama.cpp is missing or crashes, or the file is not what the bundle says.
        """
        self._supervisor.start()
        self._started.wait(patience_s)
        if patience_s is None and self._child is None:
            self.close()
            raise self._trouble

    def judge(self, prompt: Prompt, rows: Rows, timeout_s: float = 5.0) -> Reading:
        """A verdict on a part; comes before all words. See :meth:`Runner.judge`.

        Raises:
            LanguageError: the runner refuses the rows, or there is no verdict in time; at once where there
                is no process, or where it is late with an earlier part.
        """
        reading = self._call(VerdictRequest(prompt, rows), timeout_s)
        assert isinstance(reading, Reading)
        return reading

    def answer(self, dialogue: int, most_tokens: int = 64, timeout_s: float = 30.0) -> str:
        """The sentence about a part. See :meth:`Runner.answer`.

        Raises:
            LanguageError: the dialogue is over, or the words are not there in time.
        """
        return str(self._call(SentenceRequest(dialogue, most_tokens), timeout_s))

    def ask(self, dialogue: int, question: str, most_tokens: int = 64, timeout_s: float = 30.0) -> str:
        """The answer to a follow-up question. See :meth:`Runner.ask`.

        Raises:
            LanguageError: the dialogue is over or full, or the words are not there in time.
        """
        return str(self._call(QuestionRequest(dialogue, question, most_tokens), timeout_s))

    def release(self, dialogue: int) -> None:
        """Ends a dialogue after the words that were asked for; waits for nothing."""
        with self._lock:
            if self._child is not None:
                self._child.send(
                    WorkerRequest(
                        next(self._numbers), time.monotonic() + _LOADING_S, ReleaseRequest(dialogue)
                    )
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

    def _call(self, work: VerdictRequest | SentenceRequest | QuestionRequest, timeout_s: float) -> Result:
        request = WorkerRequest(next(self._numbers), time.monotonic() + timeout_s, work)
        pending = _Pending(request)
        with self._lock:
            child = self._serving_child(work)
            self._pending[request.number] = pending
            pending.tries += 1
            child.send(request)
        try:
            result = pending.result.result(timeout_s)
        except concurrent.futures.TimeoutError:
            raise LanguageError(f"The language model did not answer within {timeout_s:g} s.") from None
        finally:
            with self._lock:
                del self._pending[request.number]
        if isinstance(result, EdgeError):
            raise copy.copy(result)
        return result

    def _serving_child(self, work: VerdictRequest | SentenceRequest | QuestionRequest) -> Child:
        """The process that takes this request.

        Raises:
            LanguageError: there is none, or it has more to do than it can.
        """
        if self._closing.is_set() or not self._supervisor.is_alive():
            raise LanguageError("The language worker is not running.")
        if len(self._pending) >= self._most_waiting:
            raise LanguageError(f"{len(self._pending)} requests are already waiting for the language model.")
        child = self._child
        if child is None and not isinstance(work, VerdictRequest):
            raise _lost()
        if child is None:
            # A copy: an error that is raised again and again keeps every frame that it went through.
            raise copy.copy(self._trouble)
        if child.is_late() and isinstance(work, VerdictRequest):
            raise LanguageError(_LATE)
        return child

    def _supervise(self) -> None:
        """Keeps a process there until :meth:`close`; nothing that becomes of one ends this thread."""
        while not self._closing.wait(self._pause_s):
            child = self._new_child()
            made_verdicts = child is not None and self._serve(child)
            with self._lock:
                self._child = None
            if child is not None:
                child.end(patience_s=_ENDING_S if self._closing.is_set() else 0.0)
            if not self._closing.is_set():
                self.failures = 0 if made_verdicts else self.failures + 1
                self.restarts += 1
            self._drop_lost()
            self._started.set()

    def _new_child(self) -> Child | None:
        """A process that loads its model; None where the machine does not give one."""
        try:
            self._kernel = self._kernels.choose(self._closing)
            return Child(WorkerSetup(self._model, self.limits, self._kernel.library))
        except LanguageError as error:
            self._trouble = error
            return None
        except Exception as error:
            log.debug("the language worker cannot be started", exc_info=True)
            self._trouble = not_started(error)
            return None

    @property
    def _pause_s(self) -> float:
        """Before the next process is started."""
        return _PAUSES_S[min(self.failures, len(_PAUSES_S) - 1)]

    def _serve(self, child: Child) -> bool:
        """Hands replies to those who wait until the worker ends or is given up; whether it made a verdict."""
        made_verdicts = ready = False
        began_s = time.monotonic()
        try:
            greeting = child.receive(_LOADING_S, self._closing)
            if not isinstance(greeting, WorkerReady):
                late = LanguageError(f"The language worker has not loaded its model within {_LOADING_S:g} s.")
                self._trouble = greeting.error if isinstance(greeting, WorkerFailed) else late
                return False
            ready = True
            self._loading_s = time.monotonic() - began_s
            self._open(child)
            while not self._closing.is_set():
                if child.is_hung():
                    self._trouble = LanguageError(
                        "The language worker hung and was killed.",
                        "If it hangs again, check the machine's load, or lower language.threads.",
                    )
                    break
                reply = child.receive(_POLL_S, self._closing)
                if isinstance(reply, WorkerReply):
                    made_verdicts |= isinstance(reply.result, Reading)
                    self._deliver(reply)
        except (EOFError, OSError):
            with self._lock:
                self._child = None
            status = child.wait(_ENDING_S)
            fault = self._kernels.died(self._kernel, status) if self._kernel is not None else ""
            self._trouble = ended(status, loading=not ready, fault=fault)
        except Exception as error:
            log.exception("the language worker sent a message that cannot be read")
            self._trouble = LanguageError(f"The language worker was stopped: {error!r}.")
        return made_verdicts

    def _open(self, child: Child) -> None:
        """Lets requests through to a worker that is ready, those first that wait for it."""
        with self._lock:
            self._child = child
            self.loads += 1
            for pending in self._pending.values():
                pending.tries += 1
                child.send(pending.request)
        self._started.set()

    def _deliver(self, reply: WorkerReply) -> None:
        with self._lock:
            pending = self._pending.get(reply.number)
        if pending is not None:
            pending.result.set_result(reply.result)

    def _drop_lost(self) -> None:
        """Tells those who wait for what the next worker cannot give, or not in time."""
        back_s = time.monotonic() + self._pause_s + self._kernels.trial_s + self._loading_s
        with self._lock:
            for pending in self._pending.values():
                if pending.result.done():
                    continue
                if self._closing.is_set():
                    pending.result.set_result(LanguageError("The language worker was closed."))
                elif not isinstance(pending.request.work, VerdictRequest):
                    pending.result.set_result(_lost())
                elif pending.tries >= _TRIES:
                    pending.result.set_result(
                        LanguageError(
                            f"The language worker died {pending.tries} times over this part. {self._trouble}"
                        )
                    )
                elif pending.request.deadline < back_s:
                    pending.result.set_result(self._trouble)


def _lost() -> LanguageError:
    return LanguageError(
        "The language worker was restarted; the dialogue is lost.", "Inspect the part again."
    )
