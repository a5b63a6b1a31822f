"""A plan that works here: read from the cache, or built again from the half that lies beside it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edge.bounded import read_regular
from edge.bundle import Bundle
from edge.choices import Precision, RequestedPrecision
from edge.errors import EngineError
from edge.paths import cache_dir
from edge.progress import Progress
from edge.tools import command_line
from edge.vision.tensorrt.build import build_plan
from edge.vision.tensorrt.compiled import (
    Compilation,
    GraphHalf,
    accept_command,
    compile_command,
    compiled_precisions,
    folder_of,
    read_compilation,
)
from edge.vision.tensorrt.cuda import Cuda
from edge.vision.tensorrt.cuda_opening import open_cuda
from edge.vision.tensorrt.execution import PlanExecution, load_execution
from edge.vision.tensorrt.library import load_tensorrt
from edge.vision.tensorrt.plans import PlanKey, UnusablePlanError, read_plan, write_cached, write_plan

_Loaded = TypeVar("_Loaded")

_log = logging.getLogger(__name__)

_MOST_BYTES = 4_000_000_000
"""Of a graph's half or a timing cache."""


@dataclass(frozen=True, slots=True)
class GpuTarget:
    """Where plans are built and run.

    Attributes:
        tensorrt: the module.
        capability: of the GPU, such as ``8.7``.
        device: its name.
    """

    tensorrt: Any
    capability: str
    device: str

    def key(self, name: str, half: GraphHalf) -> PlanKey:
        """The key of a half's plan here."""
        return PlanKey(name, half.sha256, str(self.tensorrt.__version__), self.capability, half.span)


def ready_plan(
    folder: Path,
    compilation: Compilation,
    name: str,
    target: GpuTarget,
    *,
    load: Callable[[bytes], _Loaded | None],
    progress: Progress = lambda *_: None,
) -> _Loaded:
    """A half's plan, loaded; built again where there is none, and the half's ONNX file is.

    Args:
        folder: with the halves and the plans.
        compilation: of these.
        name: of the half.
        target: where it shall run.
        load: what TensorRT makes of a plan; None where it cannot: it says so by no error of its own.
        progress: of a build.

    Raises:
        EngineError: there is no such plan, and it cannot be built.
    """
    half = compilation.half(name)
    key = target.key(name, half)
    try:
        loaded = load(read_plan(folder, key))
        if loaded is not None:
            return loaded
        reason = f"TensorRT does not load the plan of the {name}, which was built for {key}."
    except UnusablePlanError as error:
        reason = error.message
    graph = _graph(folder, half, reason, compilation)
    _log.warning("%s It is being rebuilt, which takes minutes.", reason)
    loaded = load(build_into(folder, compilation, name, graph, target, progress))
    if loaded is None:
        raise EngineError(
            f"TensorRT {key.tensorrt} cannot load the plan of the {name} that it has just built.",
            "Check the GPU's free memory and its driver: nvidia-smi, or on a Jetson tegrastats.",
        )
    return loaded


def build_into(
    folder: Path, compilation: Compilation, name: str, graph: bytes, target: GpuTarget, progress: Progress
) -> bytes:
    """Builds a half's plan and keeps it, and what was learned of the GPU's kernels for the next build.

    Raises:
        EngineError: as :func:`edge.vision.tensorrt.build.build_plan`.
    """
    half = compilation.half(name)
    key = target.key(name, half)
    timings = cache_dir() / "tensorrt" / f"timings-{key.tensorrt}-{target.capability}.cache"
    built = build_plan(
        target.tensorrt,
        graph,
        name=name,
        span=half.span,
        workspace_mb=compilation.workspace_mb,
        timing_cache=read_regular(timings, _MOST_BYTES) if timings.is_file() else b"",
        progress=progress,
    )
    write_plan(folder, key, built.plan, target.device)
    write_cached(timings, built.timing_cache)
    return built.plan


def _graph(folder: Path, half: GraphHalf, reason: str, compilation: Compilation) -> bytes:
    """The half's ONNX file, checked.

    Raises:
        EngineError: it is missing or damaged: for ``reason`` it is needed.
    """
    remedy = f"Compile it again: {command_line('build_engines', 'compile', compilation.bundle)} --precision "
    try:
        content = read_regular(folder / half.file, _MOST_BYTES)
    except OSError as error:
        raise EngineError(
            f"{reason} It cannot be built again: {half.file} is not in {folder}.",
            remedy + compilation.precision,
        ) from error
    if hashlib.sha256(content).hexdigest() != half.sha256:
        raise EngineError(
            f"{reason} It cannot be built again: {half.file} in {folder} is damaged.",
            remedy + compilation.precision,
        )
    return content


def answering_gpu() -> str:
    """The name of the GPU that TensorRT would compute on.

    Raises:
        EngineError: there is no TensorRT, or no GPU.
    """
    load_tensorrt()
    cuda = open_cuda()
    try:
        return cuda.device_name()
    finally:
        cuda.close()


def compiled_precision(
    bundle: Bundle, precision: RequestedPrecision = "auto", *, accept_failed_parity: bool = False
) -> Precision:
    """The precision to run: the one that is asked for, or the fastest that failed no gate.

    Args:
        bundle: a checked bundle.
        precision: ``auto`` takes one that passed the bundle's own gate and did not fail the target's.
        accept_failed_parity: take the one that is asked for also where it failed on this machine.

    Raises:
        EngineError: that was not compiled on this machine, or it failed here.
        BundleError: the bundle has no graph of that precision.
    """
    if precision != "auto":
        if read_compilation(bundle, precision).passed is False and not accept_failed_parity:
            raise EngineError(
                f"Bundle {bundle.name}: TensorRT plans in {precision} failed when they were measured here.",
                f"Choose another precision, or see why: {accept_command(bundle, precision)}",
            )
        return precision
    for compiled in compiled_precisions(bundle):
        graph = bundle.manifest.graphs.get(compiled)
        well = graph is not None and graph.parity is not None and graph.parity.passed
        if well and read_compilation(bundle, compiled).passed is not False:
            return compiled
    raise EngineError(
        f"Bundle {bundle.name} has no TensorRT plans on this machine that passed.",
        f"Compile it: {compile_command(bundle)}",
    )


def loaded_halves(
    bundle: Bundle, precision: Precision, tensorrt: Any, cuda: Cuda, progress: Progress = lambda *_: None
) -> tuple[PlanExecution, PlanExecution]:
    """The encoder's and the head's plans, ready to run.

    Raises:
        EngineError: nothing was compiled, or it does not work here and cannot be built again.
        BundleError: the bundle has no graph of that precision.
    """
    compilation, folder = read_compilation(bundle, precision), folder_of(bundle, precision)
    target = GpuTarget(tensorrt, cuda.capability(), cuda.device_name())

    def load(name: str) -> PlanExecution:
        return ready_plan(
            folder,
            compilation,
            name,
            target,
            load=lambda plan: load_execution(tensorrt, plan, name),
            progress=progress,
        )

    return load("encoder"), load("head")
