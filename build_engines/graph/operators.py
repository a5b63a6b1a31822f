"""The operators of :mod:`models.heads.definition` as nodes of a graph; values are the names of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from build_engines.graph.learned import TrainedWeights
from build_engines.graph.onnx_writer import GraphWriter
from edge.image_types import Array


class GraphOperators:
    """See :class:`models.heads.definition.Operators`; for one image.

    Args:
        writer: of the graph.
        weights: what was learned; None for what needs none.
    """

    def __init__(self, writer: GraphWriter, weights: TrainedWeights | None = None) -> None:
        self._writer = writer
        self._weights = weights or TrainedWeights({}, {})

    def node(self, op: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        return self._writer.node(op, *inputs, name=name, **attributes)

    def constant(self, name: str, value: Array) -> str:
        return self._writer.constant(f"prompt.{name}", value)

    def conv(self, name: str) -> tuple[str, str]:
        short = name.replace(".trunk", "")
        tensors = self._weights.tensors
        kernel = self._writer.constant(f"{short}.weight", tensors[f"{name}.weight"])
        return kernel, self._writer.constant(f"{short}.bias", tensors[f"{name}.bias"])

    def linear(self, name: str) -> tuple[str, str]:
        matrix, bias = self._weights.linear(name)
        return self._writer.constant(f"{name}.weight", matrix), self._writer.constant(f"{name}.bias", bias)

    def learned(self, name: str) -> str:
        short = name.rpartition(".")[2]
        return self.constant(short, np.array(float(self._weights.tensors[name]), np.float32))

    def split(self, value: str, sizes: Sequence[int], name: str) -> list[str]:
        inputs = [value] if len(set(sizes)) == 1 else [value, self._writer.ints(*sizes)]
        first = self._writer.node("Split", *inputs, axis=1, outputs=len(sizes), name=name)
        return [first, *(f"{first}_{number}" for number in range(1, len(sizes)))]

    def shaped(self, value: str, *sides: int) -> str:
        return self._writer.node("Reshape", value, self._writer.ints(1, *sides))

    def row(self, numbers: Sequence[str]) -> str:
        joined = self._writer.node("Concat", *numbers, axis=0)
        return self._writer.node("Reshape", joined, self._writer.ints(1, len(numbers)))

    def beside_rows(self, number: str) -> str:
        return number
