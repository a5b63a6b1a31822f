"""Which runtime computes the vision graph here: TensorRT where there is a GPU, else OpenVINO."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.choices import RequestedPrecision, RequestedRuntime, Runtime
from edge.errors import EngineError

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from edge.vision.engine import Engine


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RuntimeChoice:
    """A runtime, and why it was taken, as one sentence."""

    runtime: Runtime
    reason: str


def choose_runtime(
    bundle: Bundle,
    runtime: RequestedRuntime = "auto",
    precision: RequestedPrecision = "auto",
    *,
    accept_failed_parity: bool = False,
) -> RuntimeChoice:
    """The runtime for a bundle on this machine.

    Args:
        bundle: a checked bundle.
        runtime: ``auto`` takes TensorRT where it is installed, a GPU answers and the bundle was compiled
            for it in a precision that passed; else OpenVINO.
        precision: that is asked for.
        accept_failed_parity: also count plans that failed when they were measured on this machine.
    """
    if runtime != "auto":
        return RuntimeChoice(runtime, "It was asked for.")
    from edge.vision.tensorrt.compiled import FASTEST_FIRST
    from edge.vision.tensorrt.ready import answering_gpu, compiled_precision

    if precision not in ("auto", *FASTEST_FIRST):
        return RuntimeChoice("openvino", f"{precision} is for CPUs.")
    try:
        device = answering_gpu()
    except EngineError as error:
        return RuntimeChoice("openvino", error.message)
    try:
        compiled = compiled_precision(bundle, precision, accept_failed_parity=accept_failed_parity)
    except EngineError as error:
        return RuntimeChoice("openvino", f"{device} answers. {error}")
    return RuntimeChoice("tensorrt", f"{device} answers, and the bundle was compiled in {compiled}.")


def open_engine(
    bundle: Bundle,
    runtime: RequestedRuntime = "auto",
    precision: RequestedPrecision = "auto",
    threads: int | None = None,
    *,
    accept_failed_parity: bool = False,
) -> Engine:
    """A bundle's vision graph, compiled for this machine.

    Args:
        bundle: a checked bundle.
        runtime: see :func:`choose_runtime`.
        precision: ``auto`` takes the fastest that passed its parity gate and that the runtime has.
        threads: of a CPU's inference; None leaves it to the runtime.
        accept_failed_parity: also take a precision that failed its parity gate, or that nobody measured; it
            is warned of.

    Raises:
        EngineError: the graph cannot be compiled, or this machine lacks the runtime or the precision.
        BundleError: the bundle has no graph of that precision, or it has not passed its parity gate.
    """
    choice = choose_runtime(bundle, runtime, precision, accept_failed_parity=accept_failed_parity)
    engine: Engine
    if choice.runtime == "tensorrt":
        from edge.vision.tensorrt.engine import TensorRtEngine

        engine = TensorRtEngine.open(bundle, precision, accept_failed_parity=accept_failed_parity)
    else:
        from edge.vision.openvino import OpenVinoEngine

        engine = OpenVinoEngine(bundle, precision, threads, accept_failed_parity=accept_failed_parity)
    _log.info("%s. %s", described(engine), choice.reason)
    if doubt := bundle.doubt(engine.precision):
        _log.warning("%s", doubt)
    return engine


def described(engine: Engine) -> str:
    """Runtime, precision and device of an engine, such as ``openvino int8 on CPU``."""
    return f"{engine.name} {engine.precision} on {engine.device}"
