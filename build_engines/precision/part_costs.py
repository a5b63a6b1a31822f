"""What a precision costs each part of an encoder: its own share of the error, and what has come in before it.

Each part is cut out of every precision's graph and computed by ONNX Runtime on the exact tokens of
fp32, so that what it does wrong is its own; and once more on what that precision's parts before it gave.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from build_engines.graph.encoder_parts import EncoderPart, cut, encoder_parts
from edge.choices import Precision
from edge.image_types import Array

ImageBatch = npt.NDArray[np.uint8]
"""An image as the graph takes it: uint8 (1, H, W, 3)."""


@dataclass(frozen=True, slots=True)
class PartCost:
    """One part of an encoder.

    Attributes:
        part: ``embedding``, ``layer.N.attention`` or ``layer.N.mlp``.
        largest: the largest magnitude of any tensor in it, in fp32.
        largest_at: that tensor.
        weights: its share of the encoder's weights, 0 to 1.
        alone: by precision, one minus the mean cosine of the tokens that it gives on fp32's input.
        through: by precision, the same with all parts before it in that precision too.
    """

    part: str
    largest: float
    largest_at: str
    weights: float
    alone: Mapping[Precision, float]
    through: Mapping[Precision, float]


def part_costs(
    exact: onnx.ModelProto, others: Mapping[Precision, onnx.ModelProto], images: Sequence[ImageBatch]
) -> list[PartCost]:
    """The cost of every part, first to last.

    Args:
        exact: the fp32 graph.
        others: by precision, as graphs that ONNX Runtime computes with that precision's errors: see
            :func:`build_engines.precision.float16.rounded_in_float32`.
        images: to measure on.
    """
    parts = encoder_parts(exact.graph)
    maxima = largest_activations(exact, images)
    sizes = {part.name: _weights_of(exact, part) for part in parts}
    tokens: list[Any] = list(images)
    carried: dict[Precision, list[Any]] = {precision: list(images) for precision in others}
    costs = []
    for part in parts:
        given, tokens = tokens, _run(exact, part, tokens)
        alone: dict[Precision, float] = {}
        for precision, model in others.items():
            # The first part has nothing before it.
            own, carried[precision] = _run(model, part, given), _run(model, part, carried[precision])
            alone[precision] = _cost(tokens, own)
        own_maxima = {name: maxima[name] for name in _outputs_of(exact, part) if name in maxima}
        largest_at = max(own_maxima, key=own_maxima.__getitem__)
        costs.append(
            PartCost(
                part=part.name,
                largest=own_maxima[largest_at],
                largest_at=largest_at,
                weights=sizes[part.name] / sum(sizes.values()),
                alone=alone,
                through={precision: _cost(tokens, carried[precision]) for precision in others},
            )
        )
    return costs


def largest_activations(model: onnx.ModelProto, images: Sequence[ImageBatch]) -> dict[str, float]:
    """The largest magnitude of every float tensor of an fp32 encoder, over all images."""
    parts = encoder_parts(model.graph)
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    floats = {v.name for v in inferred.value_info if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    names = [name for part in parts for name in _outputs_of(model, part) if name in floats]
    measured = cut(model, "image", [parts[-1].exit])
    del measured.graph.output[:]
    for name in names:
        magnitude, largest = f"{name}.magnitude", f"{name}.largest"
        measured.graph.node.append(helper.make_node("Abs", [name], [magnitude]))
        measured.graph.node.append(helper.make_node("ReduceMax", [magnitude], [largest], keepdims=0))
        measured.graph.output.append(helper.make_tensor_value_info(largest, TensorProto.FLOAT, []))
    session = session_of(measured)
    found = np.array([session.run(None, {"image": image}) for image in images], np.float64)
    return dict(zip(names, found.max(axis=0).tolist(), strict=True))


def session_of(model: onnx.ModelProto) -> Any:
    """A model in ONNX Runtime on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])


def _run(model: onnx.ModelProto, part: EncoderPart, entries: Iterable[Any]) -> list[Array]:
    session = session_of(cut(model, part.entry, [part.exit]))
    return [session.run(None, {part.entry: entry})[0] for entry in entries]


def _cost(exact: Sequence[Array], found: Sequence[Array]) -> float:
    """One minus the mean cosine of tokens (batch, tokens, width); infinite where a token is no number."""
    cosines = [
        _cosines(a.astype(np.float64), b.astype(np.float64)) for a, b in zip(exact, found, strict=True)
    ]
    mean = float(np.mean(cosines))
    return max(0.0, 1 - mean) if np.isfinite(mean) else float("inf")


def _cosines(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
        return np.asarray((a * b).sum(axis=-1) / lengths)


def _outputs_of(model: onnx.ModelProto, part: EncoderPart) -> list[str]:
    inside = set(part.nodes)
    return [name for node in model.graph.node if node.name in inside for name in node.output]


def _weights_of(model: onnx.ModelProto, part: EncoderPart) -> int:
    inside = set(part.nodes)
    used = {name for node in model.graph.node if node.name in inside for name in node.input}
    return sum(int(np.prod(t.dims)) for t in model.graph.initializer if t.name in used)
