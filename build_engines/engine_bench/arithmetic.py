"""How much arithmetic a graph needs: the multiplications and additions of its matrix products.

What a runtime takes longer than this many operations at the machine's peak, it spends on something
else: moving data, normalising, waiting. Element-wise operators are left out: for a transformer they
are under one in a hundred of the operations.
"""

from __future__ import annotations

import math

import onnx

from build_engines.graph.graph_shapes import GraphShapes


def operations(model: onnx.ModelProto, batch: int = 1) -> int:
    """Floating-point operations of one run on colour images, a multiplication and its addition being two.

    Counted are MatMul, Gemm and Conv, over the shapes that ONNX infers.

    Raises:
        EngineError: a product whose shapes do not follow from the image's.
    """
    shapes = GraphShapes(model, {"batch": batch, "channels": 3})
    return sum(2 * _products(node, shapes) for node in shapes.graph.node if node.op_type in _INNER)


def _products(node: onnx.NodeProto, shapes: GraphShapes) -> int:
    """Every number of a result is a sum of as many products as the factors have in common."""
    result = math.prod(shapes.tensor(node.output[0]).shape)
    return result * _INNER[node.op_type](node, shapes)


def _matmul(node: onnx.NodeProto, shapes: GraphShapes) -> int:
    return shapes.tensor(node.input[0]).shape[-1]


def _gemm(node: onnx.NodeProto, shapes: GraphShapes) -> int:
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return shapes.tensor(node.input[0]).shape[0 if transposed else 1]


def _conv(node: onnx.NodeProto, shapes: GraphShapes) -> int:
    """Of the kernel's shape (out, in per group, height, width), all but the first are summed over."""
    return math.prod(shapes.tensor(node.input[1]).shape[1:])


_INNER = {"MatMul": _matmul, "Gemm": _gemm, "Conv": _conv}
