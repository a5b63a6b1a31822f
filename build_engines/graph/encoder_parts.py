"""The encoder of a vision graph in parts: its embedding, and the two halves of every layer.

Every writer of this project names what leaves half a layer ``layer.N.add1`` and ``layer.N.add2``, in
every precision, so that the same part can be cut out of each graph and held against the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx
from onnx import TensorProto, helper

_HALVES = {"add1": "attention", "add2": "mlp"}


@dataclass(frozen=True, slots=True)
class EncoderPart:
    """One part of an encoder.

    Attributes:
        name: ``embedding``, ``layer.N.attention`` or ``layer.N.mlp``.
        nodes: by name, in their order.
        entry, exit: the tensors that it begins and ends with: tokens (batch, tokens, width) but for the
            image that the embedding begins with.
    """

    name: str
    nodes: tuple[str, ...]
    entry: str
    exit: str


def encoder_nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes up to the last tap; what stands behind them is the head."""
    last_tap = max(i for i, node in enumerate(graph.node) if node.name.startswith("tap."))
    return list(graph.node[: last_tap + 1])


def encoder_parts(graph: onnx.GraphProto) -> list[EncoderPart]:
    """The encoder's parts, first to last; slices that take a tap belong to none."""
    first = next(node for node in graph.node if node.name == "layer.0.norm1")
    parts: list[EncoderPart] = []
    name, entry, names = "embedding", "image", list[str]()
    for node in encoder_nodes(graph):
        if node.name == first.name:
            parts.append(EncoderPart(name, tuple(names), entry, first.input[0]))
            entry, names = first.input[0], []
        if node.name.startswith("tap."):
            continue
        names.append(node.name)
        layer, _, last = node.name.rpartition(".")
        if last in _HALVES:
            parts.append(EncoderPart(f"{layer}.{_HALVES[last]}", tuple(names), entry, node.output[0]))
            entry, names = node.output[0], []
    return parts


def cut(model: onnx.ModelProto, entry: str, exits: Sequence[str]) -> onnx.ModelProto:
    """The nodes that lead from one tensor to others, as a model of its own.

    Args:
        model: every float tensor that is an entry or an exit must be float32.
        entry: a tensor, or the input ``image``.
        exits: tensors that hang on nothing but ``entry`` and weights.
    """
    producers = {output: node for node in model.graph.node for output in node.output}
    needed, waiting = set[str](), list(exits)
    while waiting:
        name = waiting.pop()
        if name in needed or name == entry:
            continue
        needed.add(name)
        if name in producers:
            waiting += [each for each in producers[name].input if each]
    kind = TensorProto.UINT8 if entry == "image" else TensorProto.FLOAT
    graph = helper.make_graph(
        [node for node in model.graph.node if needed & set(node.output)],
        "part",
        [helper.make_tensor_value_info(entry, kind, None)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in exits],
        [tensor for tensor in model.graph.initializer if tensor.name in needed],
    )
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
