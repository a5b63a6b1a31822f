"""The reader and the prompt learner in the graph: :mod:`models.heads.definition`, between map and rows."""

from __future__ import annotations

import numpy as np

from build_engines.graph.learned import TrainedWeights
from build_engines.graph.onnx_writer import GraphWriter
from build_engines.graph.operators import GraphOperators
from models.heads.constants import MAP_SIDE
from models.heads.definition import Definition


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
        self._operators = GraphOperators(writer, learned)
        self._definition = Definition(self._operators)

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
        details, evidence = self._definition.read(resized, w.node("Div", score, boundary))
        self._rows(self._definition.slots(details, evidence), features)

    def _rows(self, slots: str, features: str) -> None:
        """All rows at once: training computes the same linear layers one by one, as it needs them."""
        w, definition = self._writer, self._definition
        _, width = self.shape
        image = definition.unit(w.node("ReduceMean", features, axes=[0], keepdims=1))
        scale = float(self._learned.tensors["learner.scale"])
        row_scale = self._operators.constant("row_scale", np.array(scale, np.float32))
        prompt, turn = (
            w.node("Reshape", definition.linear(slots, name), w.ints(-1, width))
            for name in ("learner.prompt", "learner.turn")
        )
        all_rows = w.node("Concat", definition.linear(image, "learner.image"), prompt, turn, axis=0)
        w.node("Mul", all_rows, row_scale, name="rows")
