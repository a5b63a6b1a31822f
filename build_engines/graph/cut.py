"""The vision graph in two: the encoder, and the matching head that stands behind ``features`` and ``text``.

An engine that computes the encoder in half precision must not compute distances so, and what enrollment
stores must be what inspection computes: so the two are compiled apart (as OpenVINO's engine cuts its own).
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx.utils import Extractor

from edge.errors import EngineError

CUTS = ("features", "text")
"""What the encoder gives and the head takes; the second only where the graph has a text decoder."""

BATCH, ROWS = "batch", "rows"
"""The names of the one free length of the encoder (images) and of the head (rows of the bank)."""


def cut(model: onnx.ModelProto, patches: int) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """The encoder and the head of a whole vision graph, which is not changed.

    Args:
        model: of :func:`build_engines.assembly.export.vision_graph`, in any precision.
        patches: of one image.

    Returns:
        The encoder, from ``image``, uint8 (batch, H, W, 3), to ``features``, float32 (batch · patches,
        width), and ``text``, float32 (batch · patches,); a graph for one image keeps a batch of 1.
        The head, from these for one image and the product's memory (rows, …) to ``map``, ``score`` and what
        else the graph gives.

    Raises:
        EngineError: there is no ``features`` to cut at, or the head sees more of the encoder than the cuts.
    """
    outputs = [port.name for port in model.graph.output]
    cuts = [name for name in CUTS if name in outputs]
    if CUTS[0] not in cuts:
        raise EngineError(
            f"The graph has no output {CUTS[0]!r} where it could be cut.",
            "Build the bundle again with this version.",
        )
    memory = [port.name for port in model.graph.input if port.name != "image"]
    results = [name for name in outputs if name not in cuts]
    encoder = _extracted(model, ["image"], cuts)
    head = _extracted(model, [*cuts, *memory], results)
    _free_first(encoder.graph.input[0])
    _fix(encoder.graph.input[0], 3, 3)
    for port in head.graph.input:
        if port.name in cuts:
            _fix(port, 0, patches)
    for half in (encoder, head):
        onnx.checker.check_model(half, full_check=True)
    return encoder, head


def free_length(half: onnx.ModelProto) -> str:
    """The name of the one length that a half leaves open; empty where all are fixed.

    Raises:
        EngineError: it leaves more than one open.
    """
    names = {d.dim_param for port in half.graph.input for d in port.type.tensor_type.shape.dim if d.dim_param}
    if len(names) > 1:
        raise EngineError(
            f"{half.graph.name} leaves {', '.join(sorted(names))} open; at most one free "
            f"dimension is supported."
        )
    return next(iter(names), "")


def _extracted(model: onnx.ModelProto, inputs: Sequence[str], outputs: Sequence[str]) -> onnx.ModelProto:
    half: onnx.ModelProto = Extractor(model).extract_model(list(inputs), list(outputs))
    del half.graph.value_info[:]  # What tools inferred for other shapes, of the cuts among them.
    half.graph.name = "encoder" if list(inputs) == ["image"] else "head"
    missing = _undefined(half)
    if missing:
        raise EngineError(
            f"The {half.graph.name} also needs {', '.join(missing)} from beyond the cut.",
            "Build the bundle again with this version.",
        )
    return half


def _undefined(half: onnx.ModelProto) -> list[str]:
    """Tensors that a node reads and nothing in the half gives."""
    known = {port.name for port in half.graph.input} | {w.name for w in half.graph.initializer} | {""}
    known |= {name for node in half.graph.node for name in node.output}
    return sorted({name for node in half.graph.node for name in node.input} - known)


def _free_first(port: onnx.ValueInfoProto) -> None:
    """A first length that is open gets the name that is meant, whatever a tool has called it."""
    first = port.type.tensor_type.shape.dim[0]
    if not first.dim_value:
        first.dim_param = BATCH


def _fix(port: onnx.ValueInfoProto, axis: int, length: int) -> None:
    port.type.tensor_type.shape.dim[axis].dim_value = length
