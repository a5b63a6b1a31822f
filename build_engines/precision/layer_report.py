"""The report per layer: what each precision costs every part of an encoder, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from build_engines.graph.encoder_parts import encoder_parts
from build_engines.precision.float16 import rounded_in_float32
from build_engines.precision.part_costs import ImageBatch, PartCost, part_costs
from edge.bundle import Bundle
from edge.choices import Precision
from edge.image_types import Image
from edge.vision.engine import fit_into

if TYPE_CHECKING:
    from rich.table import Table

_MEASURED: tuple[Precision, ...] = ("fp16", "int8", "int8-symmetric")


def layer_costs(bundle: Bundle, images: Sequence[Image]) -> list[PartCost]:
    """Measures every precision of a bundle that has a file of its own, part by part.

    Args:
        bundle: with an fp32 graph.
        images: uint8 (H, W) or (H, W, 3); a few are enough.
    """
    exact = _model(bundle, "fp32")
    others = {p: rounded_in_float32(_model(bundle, p)) for p in _MEASURED if p in bundle.manifest.graphs}
    return part_costs(exact, others, [_batch(image, bundle.manifest.encoder.input_size) for image in images])


def kept_shares(bundle: Bundle) -> dict[str, float]:
    """By part, the share of the fp16 file's nodes that compute in float32; empty without such a file."""
    if "fp16" not in bundle.manifest.graphs:
        return {}
    model = _model(bundle, "fp16")
    values = onnx.shape_inference.infer_shapes(model).graph.value_info
    floats = {v.name for v in values if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
    halves = {v.name for v in values if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16}
    outputs = {node.name: set(node.output) for node in model.graph.node}
    shares = {}
    for part in encoder_parts(_model(bundle, "fp32").graph):
        kept = [bool(outputs[name] & floats) for name in part.nodes if outputs[name] & (floats | halves)]
        shares[part.name] = sum(kept) / len(kept)
    return shares


def layer_rows(costs: Sequence[PartCost], kept: Mapping[str, float]) -> list[dict[str, Any]]:
    """The report as plain JSON types: one object per part."""
    return [{**asdict(cost), "kept_in_float32": kept.get(cost.part)} for cost in costs]


def layer_table(costs: Sequence[PartCost], kept: Mapping[str, float]) -> Table:
    """The report for a terminal; a cost is one minus the mean cosine of the tokens."""
    from rich.table import Table

    precisions = list(costs[0].alone)
    table = Table("part", "weights", "largest activation", "in fp32")
    for precision in precisions:
        table.add_column(f"{precision}\nalone", justify="right")
        table.add_column(f"{precision}\nup to here", justify="right")
    for cost in costs:
        figures = [f"{of[p]:.1e}" for p in precisions for of in (cost.alone, cost.through)]
        share = kept.get(cost.part)
        stays = "" if share is None else {0.0: "no", 1.0: "all"}.get(share, f"{share:.0%}")
        table.add_row(
            cost.part, f"{cost.weights:.1%}", f"{cost.largest:.1f} at {cost.largest_at}", stays, *figures
        )
    return table


def _model(bundle: Bundle, precision: Precision) -> onnx.ModelProto:
    return onnx.load(str(bundle.file(bundle.graph(precision).file)))


def _batch(image: Image, size: tuple[int, int]) -> ImageBatch:
    buffer = np.zeros((1, *size, 3), np.uint8)
    fit_into(image, buffer[0])
    return buffer
