"""The shape of every tensor of a graph, once the lengths that it leaves free are chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import onnx

from edge.errors import EngineError


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor's ONNX type and shape."""

    elem_type: int
    shape: tuple[int, ...]


class GraphShapes:
    """What follows from a choice of lengths.

    Args:
        model: a graph of this project; it is not changed.
        lengths: by the names that the graph gives the free lengths of its inputs: ``batch``, ``channels``,
            ``patches``, ``rows``.

    Attributes:
        graph: the nodes and weights.
    """

    def __init__(self, model: onnx.ModelProto, lengths: Mapping[str, int]) -> None:
        chosen = onnx.ModelProto()
        chosen.CopyFrom(model)
        for port in chosen.graph.input:
            for dimension in port.type.tensor_type.shape.dim:
                if dimension.dim_param in lengths:
                    dimension.dim_value = lengths[dimension.dim_param]
        del chosen.graph.value_info[:]
        for port in chosen.graph.output:
            port.type.tensor_type.ClearField("shape")  # Else a name that it bears is kept for a length.
        self.graph = onnx.shape_inference.infer_shapes(chosen, data_prop=True).graph
        self._tensors = {
            weight.name: Tensor(weight.data_type, tuple(weight.dims)) for weight in self.graph.initializer
        }
        for value in (*self.graph.input, *self.graph.value_info, *self.graph.output):
            of_type = value.type.tensor_type
            if all(dimension.HasField("dim_value") for dimension in of_type.shape.dim):
                shape = tuple(int(dimension.dim_value) for dimension in of_type.shape.dim)
                self._tensors.setdefault(value.name, Tensor(of_type.elem_type, shape))

    def tensor(self, name: str) -> Tensor:
        """A tensor by its name.

        Raises:
            EngineError: its shape does not follow from the lengths.
        """
        if name not in self._tensors:
            raise EngineError(
                f"The shape of the tensor {name!r} does not follow from the graph's inputs.",
                "Export the graph again with this version of anomalygpt-edge.",
            )
        return self._tensors[name]
