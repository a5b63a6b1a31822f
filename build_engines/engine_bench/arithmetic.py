"""How much arithmetic a graph needs: the multiplications and additions of its matrix products.

What a runtime takes longer than this many operations at the machine's peak, it spends on something
else: moving data, normalising, waiting. Element-wise operators are left out: for a transformer they
are under one in a hundred of the operations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import onnx

from edge.errors import EngineError


def operations(model: onnx.ModelProto, image: Sequence[int]) -> int:
    """Floating-point operations of one run, a multiplication and its addition counted as two.

    Counted are MatMul, Gemm and Conv, over the shapes that ONNX infers.

    Args:
        model: a graph whose first input is the image; it is not changed.
        image: the image's shape, such as (1, 448, 448, 3).

    Raises:
        EngineError: a product whose shapes do not follow from the image's.
    """
    static = onnx.ModelProto()
    static.CopyFrom(model)
    for dimension, length in zip(static.graph.input[0].type.tensor_type.shape.dim, image, strict=True):
        dimension.dim_value = length
    del static.graph.value_info[:]
    graph = onnx.shape_inference.infer_shapes(static, data_prop=True).graph
    shapes = {
        value.name: [
            d.dim_value if d.HasField("dim_value") else None for d in value.type.tensor_type.shape.dim
        ]
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    shapes |= {weight.name: list(weight.dims) for weight in graph.initializer}
    return sum(_COUNTED[node.op_type](node, shapes) for node in graph.node if node.op_type in _COUNTED)


_Shapes = dict[str, list[int | None]]


def _matmul(node: onnx.NodeProto, shapes: _Shapes) -> int:
    """Every number of the result is a sum of as many products as the first factor has columns."""
    return 2 * math.prod(_known(node, node.output[0], shapes)) * _known(node, node.input[0], shapes)[-1]


def _gemm(node: onnx.NodeProto, shapes: _Shapes) -> int:
    transposed = any(a.name == "transA" and a.i for a in node.attribute)
    inner = _known(node, node.input[0], shapes)[0 if transposed else 1]
    return 2 * math.prod(_known(node, node.output[0], shapes)) * inner


def _conv(node: onnx.NodeProto, shapes: _Shapes) -> int:
    """Of the kernel's shape (out, in per group, height, width), all but the first are summed over."""
    kernel = _known(node, node.input[1], shapes)
    return 2 * math.prod(_known(node, node.output[0], shapes)) * math.prod(kernel[1:])


_COUNTED = {"MatMul": _matmul, "Gemm": _gemm, "Conv": _conv}


def _known(node: onnx.NodeProto, name: str, shapes: _Shapes) -> list[int]:
    found = shapes.get(name)
    known = [length for length in found or () if length is not None]
    if not found or len(known) != len(found):
        raise EngineError(
            f"The shape of {name}, at {node.op_type} {node.name}, does not follow from the image's: {found}.",
            "Export the graph again with this version of anomalygpt-edge.",
        )
    return known
