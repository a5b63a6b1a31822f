"""The fastest precision that this processor was seen to compute rightly.

A processor's promise is not enough: kernels for new instructions have crashed, and have given wrong
numbers without a word. So each precision that ``auto`` would take computes two pictures in a process of
its own, once for a machine, a bundle and a version of OpenVINO, and its features are held against fp32's.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from edge.bundle import Bundle
from edge.choices import Precision
from edge.errors import EngineError
from edge.paths import cache_dir
from edge.proofs import Outcome, Remembered, machine_id, python_program, run_proof
from edge.tools import command_line

LONGEST_S = 180.0
"""After which a proof has hung; it takes seconds."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PrecisionChoice:
    """What ``auto`` takes here.

    Attributes:
        precision: to compute in.
        left_out: the faster ones that passed their parity gate and that this processor failed, each with
            how it failed.
    """

    precision: Precision
    left_out: Mapping[Precision, Outcome]


def take(bundle: Bundle, candidates: Sequence[Precision]) -> PrecisionChoice:
    """The first of ``candidates`` that this processor computes as fp32 does.

    Each is tried at most once for a machine: some seconds, before which the log says so. fp32 is what all
    are measured by, and is taken as it is. One that could not be tried, for want of memory perhaps, is left
    out until the next start.

    Args:
        bundle: as it lies on disk, checked.
        candidates: fastest first.

    Raises:
        EngineError: all of them fail.
    """
    left_out: dict[Precision, Outcome] = {}
    for precision in candidates:
        if precision == "fp32":
            return PrecisionChoice(precision, left_out)
        outcome = proof(bundle, precision)
        if outcome.passed:
            return PrecisionChoice(precision, left_out)
        left_out[precision] = outcome
    failed = "; ".join(f"{precision}: {outcome}" for precision, outcome in left_out.items())
    raise EngineError(
        f"This processor computes no precision of bundle {bundle.name} correctly: {failed}.",
        f"Build it again with fp32: {command_line('build_engines', 'build', bundle.name)}",
    )


def proofs_file() -> Path:
    """Where outcomes are remembered; without it everything is proved again."""
    return cache_dir() / "proofs.json"


def proof(bundle: Bundle, precision: Precision) -> Outcome:
    """How the proof of a precision ended, now or earlier on this machine.

    Args:
        bundle: as it lies on disk, checked; it has fp32 too.
        precision: in OpenVINO, of those that the processor claims.
    """
    memory = Remembered(proofs_file())
    name = f"openvino {metadata.version('openvino')}, {bundle.id}, {precision}, processor {machine_id()}"
    known = memory.get(name)
    if known is not None:
        return known
    _log.info("Checking %s on this processor, once; this takes a few seconds.", precision)
    program = python_program("edge.vision.proving", str(bundle.path), precision, str(LONGEST_S))
    outcome = run_proof(program, LONGEST_S)
    memory.keep(name, outcome)
    if outcome.passed:
        _log.info("%s is computed correctly on this processor: %s.", precision, outcome.detail)
    else:
        _log.warning("%s is left out on this processor: %s.", precision, outcome)
    return outcome
