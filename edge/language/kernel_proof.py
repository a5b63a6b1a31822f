"""Tries one variant of llama.cpp's kernels in a process of its own: whatever happens there stays there."""

from __future__ import annotations

import pickle
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.errors import EdgeError, LanguageError
from edge.language.ending import FATAL, not_started
from edge.language.model import LanguageModel, ModelLimits
from edge.proofs import python_program

_POLL_S = 0.2


class KernelFaultError(Exception):
    """The variant crashes, hangs or computes no numbers; the text says which, such as *died of SIGILL*."""


def scores(libraries: Sequence[Path], timeout_s: float, stop: threading.Event) -> dict[Path, int]:
    """How good each variant says that it is for this processor; 0 is not at all.

    Raises:
        KernelFaultError: to load one of them is fatal.
        LanguageError: nothing can be tried now.
    """
    found = _in_child(ScoreTask(tuple(libraries)), timeout_s, stop)
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
    logits = _in_child(ComputeTask(model, limits, library), timeout_s, stop)
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
class ScoreTask:
    """Asks each library how good it is for this processor; answered with a dictionary of numbers."""

    libraries: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class ComputeTask:
    """Has a library compute a prompt and an answer; answered with logits."""

    model: LanguageModel
    limits: ModelLimits
    library: Path


@dataclass(frozen=True, slots=True)
class KernelFault:
    """Sent back in place of a result: the kernels are to blame."""

    why: str


def _in_child(task: ScoreTask | ComputeTask, timeout_s: float, stop: threading.Event) -> object:
    message = pickle.dumps((timeout_s, task))
    try:
        child = subprocess.Popen(
            python_program("edge.language.kernel_trial"),
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
    if isinstance(result, KernelFault):
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
    return LanguageError(f"The language kernels cannot be tested: the process ended with status {status}.")
