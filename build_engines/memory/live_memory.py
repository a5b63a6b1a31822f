"""How much of a graph is in memory at once: its weights, and the tensors that are still needed."""

from __future__ import annotations

import math

import onnx

from build_engines.graph.graph_shapes import GraphShapes, Tensor


def weight_bytes(model: onnx.ModelProto) -> int:
    """Of all weights, in the types that the file has them in."""
    return sum(_bytes(Tensor(weight.data_type, tuple(weight.dims))) for weight in model.graph.initializer)


def most_live_bytes(shapes: GraphShapes) -> int:
    """The most bytes that inputs, results and tensors between them take at any one node.

    The nodes run in the file's order, and a tensor lives until its last reader is done. A runtime that
    fuses nodes needs less, so that this is an upper bound. What depends on weights alone is computed
    when the graph is compiled, and is not counted.
    """
    graph = shapes.graph
    constant = {weight.name for weight in graph.initializer}
    last: dict[str, int] = {}
    for number, node in enumerate(graph.node):
        if all(name in constant for name in node.input if name):
            constant.update(node.output)
        for name in (*node.input, *node.output):
            last[name] = number
    for port in graph.output:
        last[port.name] = len(graph.node)
    live = {port.name: _bytes(shapes.tensor(port.name)) for port in graph.input if port.name not in constant}
    most = sum(live.values())
    for number, node in enumerate(graph.node):
        live |= {name: _bytes(shapes.tensor(name)) for name in node.output if name and name not in constant}
        most = max(most, sum(live.values()))
        live = {name: size for name, size in live.items() if last.get(name, -1) > number}
    return most


def _bytes(tensor: Tensor) -> int:
    return math.prod(tensor.shape) * int(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).itemsize)
