"""The reader and prompt learner as ONNX: :mod:`models.heads.reader`, :mod:`models.heads.prompt_learner`."""

from __future__ import annotations

import numpy as np

from build_engines.graph.learned import TrainedWeights
from build_engines.graph.onnx_writer import GraphWriter
from build_engines.graph.text_decoder import unit
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
    SLOPE,
    STANDS_OUT,
    STEEP,
    TINY,
    USUAL_SHARE,
)

_DETAILS = {"count": COUNTS, "size": SIZES, "shape": SHAPES, "places": PLACES}
"""What the details' logits stand for, in their order."""


def part_rows(learned: TrainedWeights) -> int:
    """How many rows are read with a part: the image's and the prompt's."""
    width = learned.tensors["learner.base"].shape[1]
    return 1 + int(learned.tensors["learner.prompt.bias"].size // width)


class PromptHead:
    """Writes the nodes between a product's map and the rows for the language model.

    Args:
        writer: of the graph.
        learned: with a reader and a prompt learner.
    """

    def __init__(self, writer: GraphWriter, learned: TrainedWeights) -> None:
        self._writer = writer
        self._learned = learned

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, width) of what is injected for a part: with it, and with every further question."""
        tensors = self._learned.tensors
        width = tensors["learner.base"].shape[1]
        return part_rows(self._learned) + tensors["learner.turn.bias"].size // width, width

    def write(self, planar: str, score: str, features: str) -> None:
        """Writes the outputs ``rows`` (rows, width) and ``evidence`` (1,).

        Args:
            planar: the map's patches (1, 1, rows, columns), on the product's scale.
            score: (1,) on that scale.
            features: (patches, width), rows of length 1.
        """
        w = self._writer
        boundary = "boundary"
        shown = w.node("Div", planar, w.node("Reshape", boundary, w.ints(1, 1, 1, 1)))
        resized = w.node(
            "Resize",
            shown,
            "",
            "",
            w.ints(1, 1, MAP_SIDE, MAP_SIDE),
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )
        details, evidence = self._read(resized, w.node("Div", score, boundary))
        self._rows(self._slots(details, evidence), features)

    def _read(self, resized: str, score: str) -> tuple[dict[str, str], str]:
        """The details' logits by name, (1, n) each, and the evidence (1,)."""
        w = self._writer
        positive = w.node("Relu", resized)
        usual = w.node("ReduceMean", positive, axes=[2, 3], keepdims=1)
        positive = w.node("Relu", w.node("Sub", positive, usual))
        peak = w.node(
            "Max",
            w.node("ReduceMax", positive, axes=[2, 3], keepdims=1),
            self._number("least_peak", LEAST_PEAK),
        )
        one = self._number("one", 1.0)
        relative = w.node("Div", positive, peak)
        hidden = w.node("Concat", w.node("Log", w.node("Add", positive, one)), relative, axis=1)
        for layer in (0, 2, 4, 6):
            kernel = self._learned.tensors[f"reader.trunk.{layer}.weight"]
            hidden = w.node(
                "Conv",
                hidden,
                w.constant(f"reader.{layer}.weight", kernel),
                w.constant(f"reader.{layer}.bias", self._learned.tensors[f"reader.trunk.{layer}.bias"]),
                kernel_shape=[3, 3],
                strides=[2, 2],
                pads=[1, 1, 1, 1],
            )
            hidden = w.node("Relu", hidden)
        hidden = w.node("Relu", self._linear(w.node("Reshape", hidden, w.ints(1, -1)), "reader.trunk.9"))
        third = MAP_SIDE // 3
        pooled = w.node("MaxPool", relative, kernel_shape=[third, third], strides=[third, third])
        highest = w.node("Reshape", pooled, w.ints(1, 9))
        logits = self._linear(w.node("Concat", hidden, self._extent(relative), axis=1), "reader.details")
        sizes = [len(words) for words in _DETAILS.values()]
        parts = w.node("Split", logits, w.ints(*sizes), axis=1, outputs=len(sizes), name="reader.split")
        details = dict(zip(_DETAILS, (parts, *(f"{parts}_{i}" for i in range(1, len(sizes)))), strict=True))
        centred = w.node("Sub", highest, self._number("usual_share", USUAL_SHARE))
        details["places"] = w.node(
            "Add", details["places"], w.node("Mul", centred, self._number("nearness", NEARNESS))
        )
        focus = self._number("focus", float(self._learned.tensors["reader.focus"]))
        details["place"] = w.node("Mul", highest, focus)
        floor = self._number("floor", FLOOR)
        relative_score = w.node(
            "Div", w.node("Add", w.node("Relu", score), floor), self._number("floored", 1 + FLOOR)
        )
        evidence = w.node("Mul", w.node("Log", relative_score), self._number("slope", SLOPE), name="evidence")
        return details, evidence

    def _extent(self, relative: str) -> str:
        """How much of the map stands out, and how long that is against its width: (1, 2)."""
        w = self._writer
        centred = w.node("Sub", relative, self._number("stands_out", STANDS_OUT))
        weight = w.node("Sigmoid", w.node("Mul", centred, self._number("steep", STEEP)))
        flat = w.node("Reshape", weight, w.ints(1, MAP_SIDE**2))
        sums = w.node("MatMul", flat, w.constant("prompt.moments", _moments()))
        parts = w.node("Split", sums, axis=1, outputs=6, name="reader.moments")
        total, *others = (parts, *(f"{parts}_{i}" for i in range(1, 6)))
        y, x, yy, xx, xy = (w.node("Div", other, total) for other in others)
        products = ((yy, y, y), (xx, x, x), (xy, x, y))
        yy, xx, xy = (w.node("Sub", second, w.node("Mul", a, b)) for second, a, b in products)
        half = self._number("half", 0.5)
        middle = w.node("Mul", w.node("Add", xx, yy), half)
        apart = w.node("Mul", w.node("Sub", xx, yy), half)
        squares = w.node("Add", w.node("Mul", apart, apart), w.node("Mul", xy, xy))
        spread = w.node("Sqrt", w.node("Add", squares, self._number("tiny", TINY)))
        shorter = w.node("Max", w.node("Sub", middle, spread), self._number("least_spread", LEAST_SPREAD))
        longer = w.node("Div", w.node("Add", middle, spread), shorter)
        share = w.node("Div", total, self._number("cells", float(MAP_SIDE**2)))
        return w.node("Concat", w.node("Log", share), w.node("Log", longer), axis=1)

    def _slots(self, details: dict[str, str], evidence: str) -> str:
        """(1, slots)."""
        w = self._writer
        z = w.node("Clip", evidence, self._number("unclear", -CLEAREST), self._number("clearest", CLEAREST))
        one = self._number("one", 1.0)
        anomalous = w.node("Sigmoid", w.node("Mul", z, self._number("gate", GATE)))
        far = w.node("Abs", z)
        sure, very = (
            w.node(
                "Sigmoid",
                w.node(
                    "Mul",
                    w.node("Sub", far, self._number(f"from_{i}", limit)),
                    self._number("certainty", CERTAINTY),
                ),
            )
            for i, limit in enumerate(SURE_FROM)
        )
        numbers = [
            anomalous,
            w.node("Sub", one, anomalous),
            w.node("Div", z, self._number("clearest", CLEAREST)),
            w.node("Tanh", z),
            w.node("Sub", one, sure),
            w.node("Sub", sure, very),
            very,
        ]
        read = [
            w.node("Softmax", details["count"], axis=1),
            w.node("Softmax", details["place"], axis=1),
            w.node("Sigmoid", details["places"]),
            w.node("Softmax", details["size"], axis=1),
            w.node("Softmax", details["shape"], axis=1),
        ]
        gated = w.node("Mul", w.node("Concat", *read, axis=1), anomalous)
        head = w.node("Reshape", w.node("Concat", *numbers, axis=0), w.ints(1, len(numbers)))
        return w.node("Concat", head, gated, axis=1)

    def _rows(self, slots: str, features: str) -> None:
        w = self._writer
        _, width = self.shape
        image = unit(w, w.node("ReduceMean", features, axes=[0], keepdims=1))
        scale = self._number("row_scale", float(self._learned.tensors["learner.scale"]))
        prompt, turn = (
            w.node("Reshape", self._linear(slots, name), w.ints(-1, width))
            for name in ("learner.prompt", "learner.turn")
        )
        all_rows = w.node("Concat", self._linear(image, "learner.image"), prompt, turn, axis=0)
        w.node("Mul", all_rows, scale, name="rows")

    def _linear(self, rows: str, name: str) -> str:
        w = self._writer
        matrix, bias = self._learned.linear(name)
        product = w.node("MatMul", rows, w.constant(f"{name}.weight", matrix))
        return w.node("Add", product, w.constant(f"{name}.bias", bias))

    def _number(self, name: str, value: float) -> str:
        return self._writer.constant(f"prompt.{name}", np.array(value, np.float32))


def _moments() -> Array:
    """(cells, 6): what each cell of the map adds to the sums 1, y, x, yy, xx and xy."""
    along = np.arange(MAP_SIDE, dtype=np.float32) / MAP_SIDE
    y, x = (axis.ravel() for axis in np.meshgrid(along, along, indexing="ij"))
    return np.stack([np.ones_like(x), y, x, y * y, x * x, x * y], axis=1)
