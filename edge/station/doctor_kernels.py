"""What ``doctor`` says about llama.cpp's kernels: which variant computes here, and which cannot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from edge.errors import EdgeError
from edge.station.check_result import CheckResult, CheckStatus
from edge.tools import command_line

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from edge.config import StationConfig
    from edge.language.kernels import Kernel

_WHAT = "language kernels"


def look_at_kernels(bundle: Bundle, config: StationConfig | None = None) -> Iterator[CheckResult]:
    """The variant that a station with this bundle computes with; nothing where the language half is not used.

    Args:
        bundle: with a language half, or without.
        config: of a station, whose number of threads counts: each is proved for itself.
    """
    if bundle.manifest.language is None or (config and config.verdict.decided_by == "calibration"):
        return
    from edge.language import ModelLimits, bundled_model
    from edge.language.kernels import Kernels

    threads = config.language.threads if config else None
    try:
        kernel = Kernels(bundled_model(bundle), ModelLimits(threads=threads)).choose()
    except EdgeError as error:
        yield CheckResult(_WHAT, CheckStatus.WRONG, error.message, error.remedy)
        return
    yield _computing(kernel)


def _computing(kernel: Kernel) -> CheckResult:
    record = kernel.record
    if record is None:
        return CheckResult(_WHAT, CheckStatus.OK, f"{kernel.name}: nothing to choose from")
    plain = record.ranking[-1]
    computes = f"{kernel.name} computes" + (f", as {plain} does" if kernel.name in record.proved else "")
    if kernel.left_out:
        return CheckResult(
            _WHAT,
            CheckStatus.WARNING,
            f"{computes}; left out on this machine: {_listed(kernel.left_out)}",
            "A verdict takes longer than it could. Build llama.cpp again, with another compiler if there is "
            f"one: {command_line('build_engines.language.llama_wheel')}. To have them tried again, remove "
            f"{kernel.record_path}",
        )
    if died := record.deaths.get(kernel.name):
        return CheckResult(
            _WHAT,
            CheckStatus.WARNING,
            f"{computes}; yet workers died in them, {died.count} in all ({died.last})",
            "A station that runs since then goes on with plainer ones until its next start. If it happens "
            f"again, remove {kernel.library}: the next variant is used then.",
        )
    return CheckResult(_WHAT, CheckStatus.OK, computes)


def _listed(left_out: Mapping[str, str]) -> str:
    return "; ".join(f"{name}, which {why}" for name, why in left_out.items())
