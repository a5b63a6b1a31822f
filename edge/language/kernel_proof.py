"""Tries one variant of llama.cpp's kernels in a process of its own: whatever happens there stays there."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge.errors import EdgeError, LanguageError
from edge.language.ending import FATAL, not_started
from edge.language.library import ggml
from edge.language.model import LanguageModel, ModelLimits
from edge.language.words import prompt_for
from edge.proofs import confine, python_program

_ANSWER = "Yes, there is a scratch at the top left."
_POLL_S = 0.2


class KernelFaultError(Exception):
    """The variant crashes, hangs or computes no numbers; the text says which, such as *died of SIGILL*."""


class _Task(Protocol):
    """What a child process does."""

    def run(self) -> object:
        """The result, which is sent back."""
        ...


def scores(libraries: Sequence[Path], timeout_s: float, stop: threading.Event) -> dict[Path, int]:
    """How good each variant says that it is for this processor; 0 is not at all.

    Raises:
        KernelFaultError: to load one of them is fatal.
        LanguageError: nothing can be tried now.
    """
    found = _in_child(_Score(tuple(libraries)), timeout_s, stop)
    assert isinstance(found, dict)
    return found


def computed(
    model: LanguageModel, limits: ModelLimits, library: Path, timeout_s: float, stop: threading.Event
) -> npt.NDArray[np.float32]:
    """What a variant computes for a real prompt, the learned rows and an answer, token by token.

    Returns:
        float32 (tokens of the answer + 1, vocabulary): logits.

    Raises:
        KernelFaultError: it crashes, is not done in time, or its logits are not finite.
        LanguageError: nothing can be tried now, or the model is at fault.
    """
    logits = _in_child(_Compute(model, limits, library), timeout_s, stop)
    assert isinstance(logits, np.ndarray)
    return logits


def divergence(plain: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """How far another variant's next words are from the plain one's: Kullback-Leibler, in nats, the mean.

    Args:
        plain, other: float32 (steps, vocabulary), logits.
    """
    expected, found = _log_softmax(plain), _log_softmax(other)
    return float((np.exp(expected) * (expected - found)).sum(axis=1).mean())


def _log_softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    result: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


@dataclass(frozen=True, slots=True)
class _Score:
    libraries: tuple[Path, ...]

    def run(self) -> dict[Path, int]:
        ggml()
        return {path: self._score(path) for path in self.libraries}

    def _score(self, path: Path) -> int:
        try:
            library = ctypes.CDLL(str(path))
        except OSError:  # It cannot be loaded at all, which is what 0 means.
            return 0
        # One build for all has no score: it says that it runs everywhere.
        return int(library.ggml_backend_score()) if hasattr(library, "ggml_backend_score") else 1


@dataclass(frozen=True, slots=True)
class _Compute:
    model: LanguageModel
    limits: ModelLimits
    library: Path

    def run(self) -> npt.NDArray[np.float32]:
        from edge.language.context import Context

        prompt = prompt_for()
        with Context(self.model, self.limits, kernel=self.library) as context:
            context.feed_tokens(0, context.tokens(prompt.before, markup=True))
            if self.model.base_rows is not None:
                context.feed_rows(0, self.model.base_rows)
            steps = [context.feed_tokens(0, context.tokens(prompt.after, markup=True))]
            # One at a time: kernels for a single token are others than those for many.
            steps += [context.feed_tokens(0, [token]) for token in context.tokens(_ANSWER)]
        return np.stack(steps)


@dataclass(frozen=True, slots=True)
class _Fault:
    """Sent back in place of a result: the kernels are to blame."""

    why: str


def _in_child(task: _Task, timeout_s: float, stop: threading.Event) -> object:
    message = pickle.dumps((timeout_s, task))
    try:
        child = subprocess.Popen(
            python_program("edge.language.kernel_proof"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        raise not_started(error) from error
    try:
        answer = _answer(child, message, time.monotonic() + timeout_s, stop)
    finally:
        child.kill()
        child.communicate()
    if child.returncode != 0 or not answer:
        raise _ended(child.returncode)
    result: object = pickle.loads(answer)
    if isinstance(result, _Fault):
        raise KernelFaultError(result.why)
    if isinstance(result, EdgeError):
        raise result
    return result


def _answer(child: subprocess.Popen[bytes], message: bytes, end: float, stop: threading.Event) -> bytes:
    to_send: bytes | None = message
    while True:
        try:
            return child.communicate(to_send, timeout=_POLL_S)[0]
        except subprocess.TimeoutExpired:
            to_send = None  # What is left of it is sent on.
        if stop.is_set():
            raise LanguageError("The language worker was closed.")
        if time.monotonic() > end:
            raise KernelFaultError("hung")


def _ended(status: int) -> Exception:
    """What a child's end without a result means."""
    if -status == signal.SIGALRM:
        return KernelFaultError("hung")
    # An assertion of llama.cpp's that fails ends in SIGABRT.
    if -status in {*FATAL, signal.SIGABRT}:
        return KernelFaultError(f"died of {signal.Signals(-status).name}")
    # Such as SIGKILL, for want of memory: that says nothing about the kernels.
    return LanguageError(f"The language kernels cannot be tried: the process ended with status {status}.")


def main() -> None:
    """Does the one task that comes through standard input; the result goes to standard output."""
    from edge.language.context import NotFiniteError

    timeout_s, task = pickle.load(sys.stdin.buffer)
    confine(timeout_s + 1)  # Not even a hung one outlives a station that was killed.
    results = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # For what libraries print.
    result: object
    try:
        result = task.run()
    except NotFiniteError:
        result = _Fault("computed logits that are not finite")
    except EdgeError as error:
        result = error
    pickle.dump(result, results)
    results.close()
