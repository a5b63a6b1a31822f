"""An encoded view against a bank: the graph's own score, before any calibration."""

from __future__ import annotations

from dataclasses import dataclass

from edge.errors import EngineError
from edge.image_types import Array
from edge.tools import command_line
from edge.vision.engine import Encoded, Engine
from edge.vision.enrollment.banks import Bank
from edge.vision.memory import as_float32

_RAW_SCALE = as_float32([0, 1])
_RAW_BOUNDARY = as_float32([1])


@dataclass(frozen=True, eq=False, slots=True)
class Matcher:
    """An engine's matching half.

    Attributes:
        text_worth: float32 (1,), what a share of *abnormal* counts for beside a distance.
    """

    engine: Engine
    text_worth: Array

    def raw_score(self, encoded: Encoded, bank: Bank) -> float:
        """The score of a view against good patches."""
        memory = graph_memory(
            self.engine,
            bank=bank.features,
            bank_text=bank.text,
            scale=_RAW_SCALE,
            text_worth=self.text_worth,
            boundary=_RAW_BOUNDARY,
        )
        return self.engine.match(encoded, memory).score


def graph_memory(engine: Engine, **arrays: Array) -> dict[str, Array]:
    """Those of the arrays that the engine's graph takes.

    Raises:
        EngineError: it takes one that this program does not know.
    """
    unknown = set(engine.memory_shapes) - set(arrays)
    if unknown:
        raise EngineError(
            f"The bundle's graph takes {', '.join(sorted(unknown))}, which this version does not know.",
            f"Build the bundle again with this version: {command_line('build_engines', 'build')}",
        )
    return {name: arrays[name] for name in engine.memory_shapes}
