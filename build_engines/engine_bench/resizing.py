"""The encoder's half of a bundle's graph, at another input size: to be timed, not to be shipped.

Of all that the half holds, only the positions and two numbers of patches depend on the size, so that
an int8 graph keeps its own scales. What ships at another size is exported at it
(``python -m build_engines build PRESET --size N``): from the source's own positions, measured again.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from build_engines.graph.vit import interpolated_positions
from edge.bundle import Encoder
from edge.errors import EngineError

_ENDS = ("features", "text")  # The second only where the graph has a text decoder.


def encoder_at(model: onnx.ModelProto, encoder: Encoder, size: tuple[int, int]) -> onnx.ModelProto:
    """The graph from ``image`` to ``features`` and ``text``, for images of ``size``.

    Args:
        model: a bundle's whole vision graph, in any precision; it is not changed.
        encoder: what the manifest says of it.
        size: (H, W) in pixels, a multiple of the patch.

    Raises:
        EngineError: the graph has no positions or no taps.
    """
    outputs = [port.name for port in model.graph.output if port.name in _ENDS]
    cut = onnx.utils.Extractor(model).extract_model(["image"], outputs)
    if size == encoder.input_size:
        return cut
    graph, (rows, columns) = cut.graph, (size[0] // encoder.patch, size[1] // encoder.patch)
    weights = {weight.name: weight for weight in graph.initializer}
    taps = [node for node in graph.node if node.op_type == "Slice" and node.name.startswith("tap.")]
    flat = next((node for node in graph.node if node.op_type == "Reshape" and node.input[0] == "patch"), None)
    if "positions" not in weights or not taps or flat is None:
        raise EngineError(
            "The graph's patches, positions and taps cannot be found, so its input size cannot be changed.",
            "Build the bundle again with this version of anomalygpt-edge.",
        )
    positions = numpy_helper.to_array(weights["positions"])[0]  # The first row is the class token's.
    patches = interpolated_positions(positions[1:].reshape(*encoder.grid, -1), rows, columns)
    resized = np.concatenate([positions[:1], patches.reshape(rows * columns, -1)])
    weights["positions"].CopyFrom(numpy_helper.from_array(resized[None], "positions"))
    # Under names of their own: the same numbers may stand for something else elsewhere.
    ends = np.array([0, encoder.width, rows * columns]), np.array([1 + rows * columns])
    for name, numbers in zip(("resized.patches", "resized.taps"), ends, strict=True):
        graph.initializer.append(numpy_helper.from_array(numbers, name))
    flat.input[1] = "resized.patches"
    for tap in taps:
        tap.input[2] = "resized.taps"
    for dimension, side in zip(graph.input[0].type.tensor_type.shape.dim[1:3], size, strict=True):
        dimension.dim_value = side
    del graph.value_info[:]
    return cut
