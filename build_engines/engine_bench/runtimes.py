"""One graph in one runtime, to be timed: the same bytes and the same images for all of them."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edge.bundle import Bundle
from edge.choices import Precision
from edge.errors import EngineError
from edge.image_types import Image
from edge.vision.openvino import cpu_precisions, runnable_precisions

OPENVINO, ONNX_RUNTIME = "OpenVINO", "ONNX Runtime"


@dataclass(frozen=True, slots=True)
class Contestant:
    """A runtime and the precision that it computes in."""

    runtime: str
    precision: Precision

    def __str__(self) -> str:
        return f"{self.runtime} {self.precision}"


def contestants(bundle: Bundle) -> list[Contestant]:
    """What this CPU can compute of a bundle: all of it in OpenVINO; in ONNX Runtime what has a file of
    its own, since bf16 is the fp32 file, computed otherwise."""
    available = runnable_precisions(bundle)
    return [
        *(Contestant(OPENVINO, precision) for precision in available),
        *(Contestant(ONNX_RUNTIME, precision) for precision in available if precision != "bf16"),
    ]


class CompiledGraph(Protocol):
    """A compiled graph for batches of one shape."""

    def run_ms(self, images: Image) -> float:
        """The milliseconds of one run on uint8 (batch, H, W, 3)."""


def compiled(
    contestant: Contestant, content: bytes, float_type: str, shape: Sequence[int], threads: int | None
) -> CompiledGraph:
    """The contestant's compiled graph.

    Args:
        contestant: which runtime.
        content: of the ONNX file.
        float_type: what the runtime computes in that the file does not fix to integers; only OpenVINO has a
            choice.
        shape: of the image input, (batch, H, W, 3).
        threads: of one run; None leaves it to the runtime, which takes the physical cores.

    Raises:
        EngineError: the runtime is missing or cannot compile the graph.
    """
    try:
        if contestant.runtime == OPENVINO:
            return _OpenVino(content, float_type, shape, threads)
        return _OnnxRuntime(content, threads)
    except ImportError as error:
        raise EngineError(
            f"{contestant.runtime} is not installed.", "Install it: pip install 'anomalygpt-edge[build]'"
        ) from error
    except Exception as error:  # ONNX Runtime's errors have no base of their own but Exception.
        reason = str(error).strip().splitlines() or ["no reason given"]
        raise EngineError(f"{contestant} cannot compile the graph at {list(shape)}: {reason[-1]}") from error


class _OpenVino:
    def __init__(self, content: bytes, float_type: str, shape: Sequence[int], threads: int | None) -> None:
        import openvino as ov

        options: dict[str, str | int] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": float_type if "bf16" in cpu_precisions() else "f32",
        }
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        core = ov.Core()
        model = core.read_model(io.BytesIO(content))
        model.reshape({"image": list(shape)})
        self._request = core.compile_model(model, "CPU", options).create_infer_request()
        self._buffer = np.zeros(shape, np.uint8)
        self._request.set_input_tensor(ov.Tensor(self._buffer, shared_memory=True))

    def run_ms(self, images: Image) -> float:
        self._buffer[:] = images
        start = time.perf_counter()
        self._request.start_async()
        self._request.wait()
        return (time.perf_counter() - start) * 1e3


class _OnnxRuntime:
    def __init__(self, content: bytes, threads: int | None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3
        # Else its threads spin on after a run, in the time of the contestant that comes next.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run_ms(self, images: Image) -> float:
        start = time.perf_counter()
        self._session.run(None, {"image": images})
        return (time.perf_counter() - start) * 1e3
