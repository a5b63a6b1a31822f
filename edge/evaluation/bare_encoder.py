"""The encoder alone, as OpenVINO runs it: what the vision path is measured against."""

from __future__ import annotations

import time

import numpy as np

from edge.bundle import Bundle
from edge.choices import Precision
from edge.errors import EngineError
from edge.image_types import Array, Image
from edge.vision.engine import fit_into
from edge.vision.openvino import cpu_precisions


class BareEncoder:
    """A bundle's encoder up to its taps, with nothing behind it: same file, size and precision.

    Args:
        bundle: a checked bundle.
        precision: of the graph to take.
        threads: of the inference; None leaves it to OpenVINO.

    Raises:
        BundleError: the bundle has no graph of that precision.
        EngineError: the graph cannot be cut at its taps, or not compiled.
    """

    def __init__(self, bundle: Bundle, precision: Precision, threads: int | None = None) -> None:
        import openvino as ov
        from openvino import opset13 as operators

        graph, encoder = bundle.graph(precision), bundle.manifest.encoder
        core = ov.Core()
        options: dict[str, str | int] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": graph.float_type if "bf16" in cpu_precisions() else "f32",
        }
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        try:
            whole = core.read_model(str(bundle.file(graph.file)))
            whole.reshape({"image": [1, *encoder.input_size, 3]})
            named = {
                name: port for op in whole.get_ops() for port in op.outputs() for name in port.get_names()
            }
            results = [operators.result(named[f"tap.{tap}"]) for tap in encoder.taps]
            cut = ov.Model(results, [whole.input("image").get_node()], "bare encoder")
            self._request = core.compile_model(cut, "CPU", options).create_infer_request()
        except KeyError as error:
            raise _uncut(graph.file, f"it has no {error.args[0]}.") from error
        except RuntimeError as error:
            raise _uncut(graph.file, str(error)) from error
        self._buffer = np.zeros((1, *encoder.input_size, 3), np.uint8)
        self._request.set_input_tensor(ov.Tensor(self._buffer, shared_memory=True))

    def measure(self, image: Image) -> float:
        """The milliseconds that the encoder takes for an image, its resizing left out."""
        fit_into(image, self._buffer[0])
        start = time.perf_counter()
        self._request.start_async()
        self._request.wait()
        return (time.perf_counter() - start) * 1e3

    def tokens(self) -> list[Array]:
        """What the encoder gave for the last image: per tap float32 (1, patches, width)."""
        return [np.array(port.data) for port in self._request.output_tensors]


def _uncut(file: str, reason: str) -> EngineError:
    return EngineError(
        f"The encoder cannot be extracted from {file}: {reason}",
        "Build the bundle again with this version of anomalygpt-edge.",
    )
