"""The arithmetic of what is learned beside the encoder, written once.

Training computes it on torch's tensors (:mod:`models.heads.eager`), building writes it down as a graph
(:mod:`build_engines.graph.operators`). Its vocabulary is ONNX's operators; no torch and no onnx here.
Shapes name one image; in training a batch stands in place of the 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from edge.facts import COUNTS, PLACES, SHAPES, SIZES, SURE_FROM
from edge.image_types import Array
from models.heads.constants import (
    CERTAINTY,
    CLEAREST,
    FLOOR,
    GATE,
    LEAST_PEAK,
    LEAST_SPREAD,
    MAP_SIDE,
    NEARNESS,
    SHARPNESS,
    SLOPE,
    STANDS_OUT,
    STEEP,
    TINY,
    USUAL_SHARE,
)

V = TypeVar("V")

DETAILS = {"count": COUNTS, "size": SIZES, "shape": SHAPES, "places": PLACES}
"""What the details' logits stand for, in their order."""


class Operators(Protocol[V]):
    """Operations on values, and what was learned as values."""

    def node(self, op: str, *inputs: V, name: str = "", **attributes: Any) -> V:
        """One operator of ONNX."""

    def constant(self, name: str, value: Array) -> V:
        """Numbers that were not learned."""

    def conv(self, name: str) -> tuple[V, V]:
        """A convolution's kernel and bias."""

    def linear(self, name: str) -> tuple[V, V]:
        """A linear layer's matrix (in, out) and bias (out,)."""

    def learned(self, name: str) -> V:
        """A single number that was learned."""

    def split(self, value: V, sizes: Sequence[int], name: str) -> list[V]:
        """Pieces of (1, n) along its second axis."""

    def shaped(self, value: V, *sides: int) -> V:
        """An image's numbers in another shape: (1, *sides)."""

    def row(self, numbers: Sequence[V]) -> V:
        """Numbers (1,) as one row (1, n)."""

    def beside_rows(self, number: V) -> V:
        """A number (1,) that is to be multiplied with rows (1, n)."""


class Definition(Generic[V]):
    """What is computed, over one kind of values."""

    def __init__(self, operators: Operators[V]) -> None:
        self.ops = operators

    def read(self, maps: V, score: V) -> tuple[dict[str, V], V]:
        """Reads a map: the reader.

        Args:
            maps: (1, 1, 48, 48), on the product's scale with the verdict's boundary at 1.
            score: (1,), the image's score on that scale.

        Returns:
            The details' logits by name, (1, n) each, and the evidence (1,).
        """
        ops = self.ops
        # What stands out does so against the rest of the part, however far all of it is from its references.
        positive = ops.node("Relu", maps)
        usual = ops.node("ReduceMean", positive, axes=[2, 3], keepdims=1)
        positive = ops.node("Relu", ops.node("Sub", positive, usual))
        peak = ops.node(
            "Max",
            ops.node("ReduceMax", positive, axes=[2, 3], keepdims=1),
            self._number("least_peak", LEAST_PEAK),
        )
        one = self._number("one", 1.0)
        relative = ops.node("Div", positive, peak)
        hidden = ops.node("Concat", ops.node("Log", ops.node("Add", positive, one)), relative, axis=1)
        for layer in (0, 2, 4, 6):
            kernel, bias = ops.conv(f"reader.trunk.{layer}")
            hidden = ops.node(
                "Conv", hidden, kernel, bias, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]
            )
            hidden = ops.node("Relu", hidden)
        hidden = ops.node("Relu", self.linear(ops.shaped(hidden, -1), "reader.trunk.9"))
        third = MAP_SIDE // 3
        pooled = ops.node("MaxPool", relative, kernel_shape=[third, third], strides=[third, third])
        highest = ops.shaped(pooled, len(PLACES))
        logits = self.linear(ops.node("Concat", hidden, self.extent(relative), axis=1), "reader.details")
        pieces = ops.split(logits, [len(words) for words in DETAILS.values()], "reader.split")
        details = dict(zip(DETAILS, pieces, strict=True))
        centred = ops.node("Sub", highest, self._number("usual_share", USUAL_SHARE))
        details["places"] = ops.node(
            "Add", details["places"], ops.node("Mul", centred, self._number("nearness", NEARNESS))
        )
        details["place"] = ops.node("Mul", highest, ops.learned("reader.focus"))
        # The score alone: what a network learned to add to it from simulated defects, false alarms on real
        # products took back (balanced accuracy .908 against .917 with eight references).
        return details, self.evidence(score)

    def evidence(self, score: V) -> V:
        """Log-odds of the score alone: logarithmic, since distances grow by factors; 0 on the boundary."""
        ops = self.ops
        floor = self._number("floor", FLOOR)
        relative = ops.node(
            "Div", ops.node("Add", ops.node("Relu", score), floor), self._number("floored", 1 + FLOOR)
        )
        return ops.node("Mul", ops.node("Log", relative), self._number("slope", SLOPE), name="evidence")

    def extent(self, relative: V) -> V:
        """How much of a map stands out, and how long that is against its width: (1, 2) logarithms.

        Args:
            relative: (1, 1, 48, 48), the map over its peak.
        """
        ops = self.ops
        centred = ops.node("Sub", relative, self._number("stands_out", STANDS_OUT))
        weight = ops.node("Sigmoid", ops.node("Mul", centred, self._number("steep", STEEP)))
        flat = ops.shaped(weight, MAP_SIDE**2)
        sums = ops.node("MatMul", flat, ops.constant("moments", moments()))
        total, *others = ops.split(sums, [1] * 6, "reader.moments")
        y, x, yy, xx, xy = (ops.node("Div", other, total) for other in others)
        products = ((yy, y, y), (xx, x, x), (xy, x, y))
        yy, xx, xy = (ops.node("Sub", second, ops.node("Mul", a, b)) for second, a, b in products)
        half = self._number("half", 0.5)
        middle = ops.node("Mul", ops.node("Add", xx, yy), half)
        apart = ops.node("Mul", ops.node("Sub", xx, yy), half)
        squares = ops.node("Add", ops.node("Mul", apart, apart), ops.node("Mul", xy, xy))
        spread = ops.node("Sqrt", ops.node("Add", squares, self._number("tiny", TINY)))
        shorter = ops.node("Max", ops.node("Sub", middle, spread), self._number("least_spread", LEAST_SPREAD))
        longer = ops.node("Div", ops.node("Add", middle, spread), shorter)
        share = ops.node("Div", total, self._number("cells", float(MAP_SIDE**2)))
        return ops.node("Concat", ops.node("Log", share), ops.node("Log", longer), axis=1)

    def slots(self, details: dict[str, V], evidence: V) -> V:
        """The numbers that the embeddings are made of: (1, 33), each between -1 and 1.

        The details of a part count only as far as it is anomalous, so that every good part reads alike.
        """
        ops = self.ops
        z = ops.node("Clip", evidence, self._number("unclear", -CLEAREST), self._number("clearest", CLEAREST))
        one = self._number("one", 1.0)
        anomalous = ops.node("Sigmoid", ops.node("Mul", z, self._number("gate", GATE)))
        far = ops.node("Abs", z)
        sure, very = (
            ops.node(
                "Sigmoid",
                ops.node(
                    "Mul",
                    ops.node("Sub", far, self._number(f"from_{i}", limit)),
                    self._number("certainty", CERTAINTY),
                ),
            )
            for i, limit in enumerate(SURE_FROM)
        )
        numbers = [
            anomalous,
            ops.node("Sub", one, anomalous),
            ops.node("Div", z, self._number("clearest", CLEAREST)),
            ops.node("Tanh", z),
            ops.node("Sub", one, sure),
            ops.node("Sub", sure, very),
            very,
        ]
        read = [
            ops.node("Softmax", details["count"], axis=1),
            ops.node("Softmax", details["place"], axis=1),
            ops.node("Sigmoid", details["places"]),
            ops.node("Softmax", details["size"], axis=1),
            ops.node("Softmax", details["shape"], axis=1),
        ]
        gated = ops.node("Mul", ops.node("Concat", *read, axis=1), ops.beside_rows(anomalous))
        return ops.node("Concat", ops.row(numbers), gated, axis=1)

    def share_of_abnormal(self, inside: V, states: V) -> V:
        """(batch, patches, 1): how abnormal patches score in words.

        Args:
            inside: (batch, patches, text width), patches in the text space.
            states: (text width, 1) from :func:`states_apart`.
        """
        ops = self.ops
        # The difference of two cosines: the division by the length comes after the product, which is cheaper.
        along = ops.node("MatMul", inside, states)
        length = ops.node("ReduceL2", inside, axes=[-1], keepdims=1)
        return ops.node("Sigmoid", ops.node("Div", along, length))

    def unit(self, rows: V, name: str = "") -> V:
        """Each row divided by its length; runtimes are faster at this than at LpNormalization."""
        length = self.ops.node("ReduceL2", rows, axes=[-1], keepdims=1)
        return self.ops.node("Div", rows, length, name=name)

    def linear(self, rows: V, name: str) -> V:
        """A linear layer."""
        matrix, bias = self.ops.linear(name)
        return self.ops.node("Add", self.ops.node("MatMul", rows, matrix), bias)

    def _number(self, name: str, value: float) -> V:
        return self.ops.constant(name, np.array(value, np.float32))


def states_apart(states: Array) -> Array:
    """(text width, 1): of a softmax over *normal* and *abnormal*, only their difference counts.

    Args:
        states: (2, text width), of length 1.
    """
    apart: Array = ((states[1] - states[0]) * SHARPNESS)[:, None]
    return apart


def moments() -> Array:
    """(cells, 6): what each cell of the map adds to the sums 1, y, x, yy, xx and xy."""
    along = np.arange(MAP_SIDE, dtype=np.float32) / MAP_SIDE
    y, x = (axis.ravel() for axis in np.meshgrid(along, along, indexing="ij"))
    return np.stack([np.ones_like(x), y, x, y * y, x * x, x * y], axis=1)
