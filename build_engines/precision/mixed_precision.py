"""Which nodes of an encoder an fp16 file leaves in float32: those that measuring says need it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from build_engines.graph.encoder_parts import encoder_nodes, encoder_parts
from build_engines.precision.float16 import as_float16, rounded_in_float32
from build_engines.precision.part_costs import ImageBatch, largest_activations, part_costs

RANGE_LIMIT = float(np.finfo(np.float16).max) / 4
"""The largest activation that is left to float16: other images may bring four times as much."""

COST_BUDGET = 0.0005
"""What all parts together may cost, as one minus the cosine of their tokens: half of what the gate allows."""


@dataclass(frozen=True, slots=True)
class Float32Nodes:
    """What stays in float32.

    Attributes:
        nodes: every one, by name.
        why: in words, one phrase for each part or node that is kept for a reason of its own.
    """

    nodes: frozenset[str]
    why: tuple[str, ...]


def kept_in_float32(model: onnx.ModelProto, images: Sequence[ImageBatch]) -> Float32Nodes:
    """Measures an fp32 graph and decides.

    A node stays in float32 where what it reads or writes may leave float16's range, and a whole part
    where its tokens come out wrong by more than its share of :data:`COST_BUDGET`.
    """
    maxima = largest_activations(model, images)
    large = {name: value for name, value in maxima.items() if value > RANGE_LIMIT}
    nodes = {node.name for node in encoder_nodes(model.graph) if large.keys() & {*node.input, *node.output}}
    why = [f"{name}: up to {value:.0f}" for name, value in large.items()]
    parts = {part.name: part.nodes for part in encoder_parts(model.graph)}
    limit = COST_BUDGET / len(parts)
    rounded = rounded_in_float32(as_float16(model, nodes))
    for cost in part_costs(model, {"fp16": rounded}, images):
        if cost.alone["fp16"] > limit:
            nodes |= set(parts[cost.part])
            why.append(f"{cost.part}: costs {cost.alone['fp16']:.1e} of cosine")
    return Float32Nodes(frozenset(nodes), tuple(why))
