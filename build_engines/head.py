"""The matching head: from the encoder's taps and a product's bank to the map and the score.

It stands behind the tensor ``features``: everything after it is a function of ``features`` and the
product's memory alone, so that an engine can cut the graph there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from build_engines.onnx_writer import FLOAT, GraphWriter

Port = tuple[str, int, Sequence[int | str]]
"""Name, ONNX type and shape of a graph's input or output."""

# AnomalyDINO (Damm et al., 2025): the image's score is the mean of its top 1 % patch distances.
_TOP_FRACTION = 0.01


@dataclass(frozen=True, slots=True)
class HeadSpec:
    """What the head must know of the encoder: input size in pixels, patch side, width of one tap."""

    size: tuple[int, int]
    patch: int
    width: int


@dataclass(frozen=True, slots=True)
class Head:
    """The inputs that the head adds to the graph beside ``image``, and the graph's outputs."""

    inputs: list[Port]
    outputs: list[Port]


def write_head(writer: GraphWriter, taps: Sequence[str], spec: HeadSpec) -> Head:
    """Writes the head behind the encoder's taps.

    Args:
        taps: patch tokens (1, patches, width) per tap.
        spec: of the encoder.

    Returns:
        Inputs ``bank`` (rows, width · taps); outputs ``features`` (patches, width · taps), each
        row of length 1, so that a dot product of two rows is the mean cosine of their taps,
        ``map`` (H, W) and ``score`` (1,).
    """
    rows, columns = spec.size[0] // spec.patch, spec.size[1] // spec.patch
    patches, width = rows * columns, spec.width * len(taps)
    unit = [writer.node("LpNormalization", tap, axis=-1, p=2) for tap in taps]
    joined = writer.node("Concat", *unit, axis=-1)
    shaped = writer.node("Reshape", joined, writer.ints(patches, width))
    scale = writer.constant("features.scale", np.array(1 / math.sqrt(len(taps)), np.float32))
    features = writer.node("Mul", shaped, scale, name="features")

    similarity = writer.node("MatMul", features, writer.node("Transpose", "bank", perm=[1, 0]))
    nearest = writer.node("ReduceMax", similarity, axes=[1], keepdims=0)
    one = writer.constant("head.one", np.array(1, np.float32))
    distance = writer.node("Sub", one, nearest)
    planar = writer.node("Reshape", distance, writer.ints(1, 1, rows, columns))
    enlarged = writer.node(
        "Resize",
        planar,
        "",
        "",
        writer.ints(1, 1, *spec.size),
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )
    writer.node("Reshape", enlarged, writer.ints(*spec.size), name="map")
    top = writer.node("TopK", distance, writer.ints(max(1, round(patches * _TOP_FRACTION))), outputs=2)
    writer.node("ReduceMean", top, axes=[0], keepdims=1, name="score")
    return Head(
        inputs=[("bank", FLOAT, ["rows", width])],
        outputs=[
            ("features", FLOAT, [patches, width]),
            ("map", FLOAT, list(spec.size)),
            ("score", FLOAT, [1]),
        ],
    )
