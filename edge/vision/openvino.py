"""The vision graph on CPUs, by OpenVINO.

The graph is cut at ``features`` and ``text`` into the encoder and the matching head. The head always
computes in float32, where the encoder may compute in bf16 or int8: a distance is a small difference of
large numbers. And the features that enrollment stores are, to the bit, those that inspection computes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edge.bundle import FASTEST_FIRST, Bundle
from edge.choices import Precision, RequestedPrecision
from edge.errors import EngineError
from edge.image_types import Array, Image, check_image
from edge.processor import cpu_flags
from edge.tools import command_line
from edge.vision.checks import check_memory, checked_encoded
from edge.vision.engine import Encoded, EngineOutput, MemoryArrays, fit_into
from edge.vision.proved import PrecisionChoice, proof, take

if TYPE_CHECKING:
    import openvino as ov

_CUTS = ("features", "text")  # The second only where the graph has a text decoder.
# Without one of these, products of 8-bit numbers are summed in 16 bits and may overflow.
_EXACT_INT8 = {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"}


class OpenVinoEngine:
    """One bundle's vision graph, compiled for this machine's CPU.

    Implements :class:`edge.vision.engine.Engine`; one thread at a time may use it.

    Args:
        bundle: a checked bundle.
        precision: ``auto`` takes the fastest that passed its parity gate and that this CPU computes
            rightly: :func:`auto_precision`.
        threads: of the inference; None leaves it to OpenVINO, which takes the physical cores.
        accept_failed_parity: also take a precision that has not passed its parity gate.

    Raises:
        EngineError: the graph cannot be compiled, or this CPU lacks the precision.
        BundleError: the bundle has no graph of that precision, or it has not passed its parity gate.
    """

    name = "openvino"
    device = "CPU"

    def __init__(
        self,
        bundle: Bundle,
        precision: RequestedPrecision = "auto",
        threads: int | None = None,
        *,
        accept_failed_parity: bool = False,
    ) -> None:
        available = cpu_precisions()
        chosen = auto_precision(bundle).precision if precision == "auto" else precision
        graph, encoder = bundle.proved_graph(chosen, accept_failed_parity), bundle.manifest.encoder
        if chosen not in available:
            raise EngineError(
                f"This CPU does not support {chosen}; it supports {', '.join(sorted(available))}.",
                "Set the precision to auto.",
            )
        float_type = graph.float_type if "bf16" in available else "f32"
        self.precision: str = chosen
        self.input_size = encoder.input_size
        self.grid = encoder.grid
        self.feature_width = encoder.feature_width
        self._encoder, self._head = _compile(bundle.file(graph.file), encoder.input_size, float_type, threads)
        self._buffer = np.zeros((1, *encoder.input_size, 3), np.uint8)
        self._encoder.set_input_tensor(_shared(self._buffer))
        self._cuts = {port.any_name: self._encoder.get_tensor(port) for port in self._encoder.model_outputs}
        self._memory: MemoryArrays | None = None
        self._arrays: dict[str, Array] = {}
        self.memory_shapes: Mapping[str, tuple[int | None, ...]] = {
            port.any_name: tuple(None if d.is_dynamic else d.get_length() for d in port.partial_shape)
            for port in self._head.model_inputs
            if port.any_name not in _CUTS
        }

    def encode(self, image: Image) -> Encoded:
        """See :meth:`edge.vision.engine.Engine.encode`."""
        self._encode(image)
        return Encoded(**{name: np.array(tensor.data) for name, tensor in self._cuts.items()})

    def match(self, encoded: Encoded, memory: MemoryArrays) -> EngineOutput:
        """See :meth:`edge.vision.engine.Engine.match`."""
        start = time.perf_counter()
        arrays = checked_encoded(encoded, {name: tuple(tensor.shape) for name, tensor in self._cuts.items()})
        # Named, since a tensor does not keep its array alive.
        given = {name: _shareable(array) for name, array in arrays.items()}
        for name, array in given.items():
            self._head.set_tensor(name, _shared(array))
        return self._matched(memory, 0.0, start)

    def infer(self, image: Image, memory: MemoryArrays) -> EngineOutput:
        """See :meth:`edge.vision.engine.Engine.infer`."""
        preprocess_ms, start = self._encode(image)
        for name, tensor in self._cuts.items():
            self._head.set_tensor(name, tensor)
        return self._matched(memory, preprocess_ms, start)

    def close(self) -> None:
        """Releases the compiled graph."""
        del self._cuts, self._encoder, self._head

    def _encode(self, image: Image) -> tuple[float, float]:
        """Leaves the image's features in their tensor; the preprocessing's milliseconds and its end."""
        start = time.perf_counter()
        check_image(image)
        fit_into(image, self._buffer[0])
        prepared = time.perf_counter()
        _run(self._encoder)
        return (prepared - start) * 1e3, prepared

    def _matched(self, memory: MemoryArrays, preprocess_ms: float, start: float) -> EngineOutput:
        self._use(memory)
        _run(self._head)
        outputs = {
            port.any_name: np.array(self._head.get_tensor(port).data) for port in self._head.model_outputs
        }
        return EngineOutput(
            map=outputs.pop("map"),
            score=float(outputs.pop("score").item()),
            others=outputs,
            latency_ms={"preprocess": preprocess_ms, "graph": (time.perf_counter() - start) * 1e3},
        )

    def _use(self, memory: MemoryArrays) -> None:
        """Hands the product's arrays to the head, where they are not there already."""
        if memory is self._memory:
            return
        check_memory(memory, self.memory_shapes)
        self._memory = None  # Until all of it is handed over.
        # Kept here, since a tensor does not keep its array alive.
        self._arrays = {name: _shareable(array) for name, array in memory.items()}
        for name, array in self._arrays.items():
            self._head.set_tensor(name, _shared(array))
        self._memory = memory


def cpu_precisions() -> set[Precision]:
    """The precisions that this CPU computes natively and exactly."""
    import openvino as ov

    found: set[Precision] = {"fp32"}
    if "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        found.add("bf16")
    if cpu_flags() & _EXACT_INT8:
        found.add("int8")
    return found


def passed_precisions(bundle: Bundle, available: set[Precision]) -> list[Precision]:
    """Those of ``available`` whose graph passed its parity gate, fastest first.

    Raises:
        EngineError: there is none.
    """
    graphs = bundle.manifest.graphs
    passed = [
        precision
        for precision in FASTEST_FIRST
        if precision in available and precision in graphs and not bundle.doubt(precision)
    ]
    if not passed:
        raise EngineError(
            f"Bundle {bundle.name} has no graph that passed its parity gate and can be computed by this CPU.",
            f"Build it again: {command_line('build_engines', 'build', bundle.name)}",
        )
    return passed


def auto_precision(bundle: Bundle) -> PrecisionChoice:
    """What ``auto`` takes on this CPU: the fastest that passed and that it was seen to compute rightly.

    The first time on a machine this takes some seconds: :func:`edge.vision.proved.take`.

    Raises:
        EngineError: there is none.
    """
    return take(bundle, passed_precisions(bundle, cpu_precisions()))


def runnable_precisions(bundle: Bundle) -> list[Precision]:
    """The bundle's precisions that this CPU computes to the end, to be measured side by side.

    One that crashes or hangs is missing; one that computes wrong is not.

    Args:
        bundle: as it lies on disk, checked; it has fp32 too.
    """
    available = cpu_precisions()
    return [
        precision
        for precision in bundle.manifest.graphs
        if precision in available
        and (precision == "fp32" or proof(bundle, precision).kind not in ("crashed", "hung"))
    ]


def _compile(
    path: Path, size: tuple[int, int], float_type: str, threads: int | None
) -> tuple[ov.InferRequest, ov.InferRequest]:
    """The encoder's and the head's requests, from one graph file."""
    import openvino as ov
    from openvino import opset13 as operators

    options: dict[str, str | int] = {"PERFORMANCE_HINT": "LATENCY"}
    if threads is not None:
        options["INFERENCE_NUM_THREADS"] = threads
    core = ov.Core()
    try:
        whole = core.read_model(str(path))
        whole.reshape({"image": [1, *size, 3]})
        image = whole.input("image").get_node()
        memory = [port.get_node() for port in whole.inputs if port.any_name != "image"]
        results = [port.get_node() for port in whole.outputs if port.any_name not in _CUTS]
        encoded, entries = [], []
        for name in (port.any_name for port in whole.outputs if port.any_name in _CUTS):
            source = whole.output(name).get_node().input_value(0)
            entry = operators.parameter(source.get_shape(), np.float32, name=name)
            for target in source.get_target_inputs():
                target.replace_source_output(entry.output(0))
            source.set_names({name})
            entry.output(0).set_names({name})
            encoded.append(operators.result(source))
            entries.append(entry)
        encoder = ov.Model(encoded, [image], "encoder")
        head = ov.Model(results, [*entries, *memory], "head")
        return (
            core.compile_model(
                encoder, "CPU", {**options, "INFERENCE_PRECISION_HINT": float_type}
            ).create_infer_request(),
            core.compile_model(
                head, "CPU", {**options, "INFERENCE_PRECISION_HINT": "f32"}
            ).create_infer_request(),
        )
    except RuntimeError as error:
        raise EngineError(
            f"OpenVINO {ov.__version__} cannot compile {path.name}: {_reason(error)}",
            "Build the bundle again with this version of anomalygpt-edge.",
        ) from error


def _run(request: ov.InferRequest) -> None:
    try:
        request.start_async()
        request.wait()
    except RuntimeError as error:
        raise EngineError(f"OpenVINO failed: {_reason(error)}", "Restart the station.") from error


def _shareable(array: Array) -> Array:
    """The array itself where OpenVINO can share it, which wants it writeable; else a copy."""
    return np.require(array, requirements=["C", "W"])


def _shared(array: npt.NDArray[Any]) -> ov.Tensor:
    import openvino as ov

    return ov.Tensor(array, shared_memory=True)


def _reason(error: RuntimeError) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given."
