"""Writes ONNX graphs node by node: static shapes, named weights, no exporter in between.

A graph written this way has no shape arithmetic left in it, so that every runtime (OpenVINO,
TensorRT, ONNX Runtime) sees the same plain operators.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge import __version__

# LayerNormalization is an operator since 17; TensorRT 10.3 and OpenVINO read it.
OPSET = 17
IR_VERSION = 8


class GraphWriter:
    """Collects nodes and weights of one graph.

    Every method that adds a node returns the name of its (first) output, to be fed to the next.
    """

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, onnx.TensorProto] = {}
        self._counts: dict[str, int] = {}

    def constant(self, name: str, value: Any) -> str:
        """Adds a weight or a constant; the same name twice must mean the same value."""
        self._weights[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def ints(self, *values: int) -> str:
        """An int64 vector constant, shared between the nodes that use it."""
        return self.constant("ints_" + "_".join(str(v) for v in values), np.array(values, np.int64))

    def node(self, op: str, *inputs: str, name: str = "", outputs: int = 1, **attributes: Any) -> str:
        """Adds one node; with ``outputs`` > 1 the further outputs are ``name_1``, ``name_2`` …"""
        if not name:
            self._counts[op] = self._counts.get(op, 0) + 1
            name = f"{op.lower()}_{self._counts[op]}"
        names = [name, *(f"{name}_{i}" for i in range(1, outputs))]
        self._nodes.append(helper.make_node(op, list(inputs), names, name=name, **attributes))
        return name

    def model(
        self,
        name: str,
        inputs: Sequence[tuple[str, int, Sequence[int | str]]],
        outputs: Sequence[tuple[str, int, Sequence[int | str]]],
    ) -> onnx.ModelProto:
        """The finished, checked model. Inputs and outputs are (name, TensorProto type, shape)."""
        graph = helper.make_graph(
            self._nodes,
            name,
            [helper.make_tensor_value_info(*i) for i in inputs],
            [helper.make_tensor_value_info(*o) for o in outputs],
            list(self._weights.values()),
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="anomalygpt-edge",
            producer_version=__version__,
        )
        onnx.checker.check_model(model, full_check=True)
        return model


FLOAT = TensorProto.FLOAT
UINT8 = TensorProto.UINT8
