"""The encoder's taps: what leaves the layers that the features are made of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge.bundle import Bundle
from edge.choices import Precision
from edge.image_types import Array, Image

TapRunner = Callable[[Image], Array]
"""From uint8 (H, W, 3) at the encoder's input size to float32 (taps, patches, width)."""


def tap_runner(bundle: Bundle, precision: Precision = "fp32", threads: int | None = None) -> TapRunner:
    """A bundle's encoder under OpenVINO, cut at its taps.

    Args:
        bundle: with a graph of that precision.
        precision: fp32 computes in float32; the others compute in bf16 what they do not in int8.
    """
    import openvino as ov
    from openvino import opset13 as operators

    encoder = bundle.manifest.encoder
    graph = bundle.graph(precision)
    core = ov.Core()
    whole = core.read_model(str(bundle.file(graph.file)))
    whole.reshape({"image": [1, *encoder.input_size, 3]})
    ports = {name: port for op in whole.get_ops() for port in op.outputs() for name in port.get_names()}
    results = [operators.result(ports[f"tap.{tap}"]) for tap in encoder.taps]
    cut = ov.Model(results, [whole.input("image").get_node()], "taps")
    options: dict[str, str | int] = {"INFERENCE_PRECISION_HINT": graph.float_type}
    if threads is not None:
        options["INFERENCE_NUM_THREADS"] = threads
    compiled = core.compile_model(cut, "CPU", options)

    def run(image: Image) -> Array:
        outputs = compiled([image[None]])
        return np.concatenate([np.array(outputs[i]) for i in range(len(encoder.taps))])

    return run
