"""The trial of kernels itself, in a process of its own: it may crash, hang or compute nonsense."""

from __future__ import annotations

import ctypes
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.errors import EdgeError
from edge.language.context import Context, NotFiniteError
from edge.language.kernel_proof import ComputeTask, KernelFault, ScoreTask
from edge.language.library import ggml
from edge.language.words import prompt_for
from edge.proofs import confine

_ANSWER = "Yes, there is a scratch at the top left."


def main() -> None:
    """Does the one task that comes through standard input; the result goes to standard output."""
    timeout_s, task = pickle.load(sys.stdin.buffer)
    confine(timeout_s + 1)  # Not even a hung one outlives a station that was killed.
    results = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # For what libraries print.
    result: object
    try:
        result = _scores(task) if isinstance(task, ScoreTask) else _logits(task)
    except NotFiniteError:
        result = KernelFault("computed logits that are not finite")
    except EdgeError as error:
        result = error
    pickle.dump(result, results)
    results.close()


def _scores(task: ScoreTask) -> dict[Path, int]:
    ggml()
    return {path: _score(path) for path in task.libraries}


def _score(path: Path) -> int:
    try:
        library = ctypes.CDLL(str(path))
    except OSError:  # It cannot be loaded at all, which is what 0 means.
        return 0
    # One build for all has no score: it says that it runs everywhere.
    return int(library.ggml_backend_score()) if hasattr(library, "ggml_backend_score") else 1


def _logits(task: ComputeTask) -> npt.NDArray[np.float32]:
    prompt = prompt_for()
    with Context(task.model, task.limits, kernel=task.library) as context:
        context.feed_tokens(0, context.tokens(prompt.before, markup=True))
        if task.model.base_rows is not None:
            context.feed_rows(0, task.model.base_rows)
        steps = [context.feed_tokens(0, context.tokens(prompt.after, markup=True))]
        # One at a time: kernels for a single token are others than those for many.
        steps += [context.feed_tokens(0, [token]) for token in context.tokens(_ANSWER)]
    return np.stack(steps)
