"""fp16: the encoder in 16-bit floats, fixed in the graph file itself.

TensorRT's strongly typed networks take every type from the file. Weights and tensors between the
encoder's nodes become float16; named nodes stay in float32, with one cast where the type changes; the
head stays in float32 whole, since a distance is a small difference of large numbers.

The converters that ONNX Runtime and onnxconverter-common bring round what passes between two
nodes that are to stay in float32, so that no head could be kept: hence this pass.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from build_engines.graph.encoder_parts import encoder_nodes

_FLOAT, _HALF = TensorProto.FLOAT, TensorProto.FLOAT16


def as_float16(model: onnx.ModelProto, kept: Collection[str] = ()) -> onnx.ModelProto:
    """The graph with an fp16 encoder; inputs and outputs keep their types.

    Args:
        model: the fp32 graph of :func:`build_engines.assembly.export.vision_graph`; it is not changed.
        kept: names of encoder nodes that stay in float32.
    """
    halved = {node.name for node in encoder_nodes(model.graph)} - set(kept)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    pass_ = _Pass(model, halved)
    nodes = [each for node in graph.node for each in pass_.typed(node)]
    used = {name for node in nodes for name in node.input}
    weights = [w for w in [*graph.initializer, *pass_.weights.values()] if w.name in used]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(weights)
    onnx.checker.check_model(result, full_check=True)
    return result


class _Pass:
    """Gives every node inputs of its type, with casts and weights made once."""

    def __init__(self, model: onnx.ModelProto, halved: set[str]) -> None:
        self._halved = halved
        self._floats = _float_tensors(model)
        self._initializers = {tensor.name: tensor for tensor in model.graph.initializer}
        self._half_tensors: set[str] = set()
        self._casts: set[str] = set()
        self.weights: dict[str, onnx.TensorProto] = {}

    def typed(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        """The node, behind the casts that it is the first to need."""
        half = node.name in self._halved
        before: list[onnx.NodeProto] = []
        for i, name in enumerate(node.input):
            if name in self._floats and half != (name in self._half_tensors):
                node.input[i] = self._in_type(name, half, before)
        if half:
            self._half_tensors |= {name for name in node.output if name in self._floats}
            if node.op_type == "Cast":
                target = next(attribute for attribute in node.attribute if attribute.name == "to")
                target.i = _HALF if target.i == _FLOAT else target.i
        return [*before, node]

    def _in_type(self, name: str, half: bool, before: list[onnx.NodeProto]) -> str:
        other = f"{name}.float16" if half else f"{name}.float32"
        if half and name in self._initializers:
            if other not in self.weights:
                value = numpy_helper.to_array(self._initializers[name]).astype(np.float16)
                self.weights[other] = numpy_helper.from_array(value, other)
        elif other not in self._casts:
            self._casts.add(other)
            before.append(
                helper.make_node("Cast", [name], [other], name=f"cast.{other}", to=_HALF if half else _FLOAT)
            )
        return other


def rounded_in_float32(model: onnx.ModelProto) -> onnx.ModelProto:
    """A graph with float16 in it as a float32 one that rounds wherever a float16 tensor is written.

    CPUs' runtimes compute an fp16 graph in float32 from end to end and so see none of its
    errors. Here every node computes in float32 (as a GPU's matrix products, sums and norms do inside)
    and what it writes is rounded to float16: overflow, underflow and rounding are those of the file.
    """
    types = _types(model)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        halves = [name for name in node.output if types.get(name) == _HALF]
        if node.op_type == "Cast" and halves:
            next(attribute for attribute in node.attribute if attribute.name == "to").i = _FLOAT
        nodes.append(node)
        for i, name in enumerate(node.output):
            if name in halves:
                node.output[i] = f"{name}.unrounded"
                nodes.append(helper.make_node("Cast", [node.output[i]], [f"{name}.rounded"], to=_HALF))
                nodes.append(helper.make_node("Cast", [f"{name}.rounded"], [name], to=_FLOAT))
    weights = [
        numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name)
        if tensor.data_type == _HALF
        else tensor
        for tensor in graph.initializer
    ]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(weights)
    return result


def _float_tensors(model: onnx.ModelProto) -> set[str]:
    return {name for name, kind in _types(model).items() if kind == _FLOAT}


def _types(model: onnx.ModelProto) -> dict[str, int]:
    """Every tensor's element type."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = [*graph.input, *graph.value_info, *graph.output]
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    return types | {tensor.name: tensor.data_type for tensor in graph.initializer}
