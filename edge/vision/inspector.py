"""One part's image to one finding: the station's own judge, without threshold or settings."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.errors import ProductError
from edge.image_types import Array, Image
from edge.inspection import Region, Verdict
from edge.vision.engine import Encoded, Engine, EngineOutput
from edge.vision.memory import Memory
from edge.vision.regions import find_regions, peak_location
from edge.vision.view import Placement, Polygon, mosaic, reduced

# A typical good part has score 0; the odds that it is anomalous are put at 1 to 19.
_LOG_ODDS_OF_GOOD = math.log(19)


@dataclass(frozen=True, eq=False)
class Finding:
    """What the vision half says of one image.

    Attributes:
        verdict: ``ok`` or ``ng``, by the score.
        score: on the product's scale, 0 good, 1 simulated defect.
        p_value: the smallest false-alarm rate that the references can promise for this score.
        p_anomaly: 0 to 1; 0.5 on the verdict's boundary.
        location: nine-cell words of the place where the map is highest, whatever the verdict: others
            may call the part ng; of the whole image, or of the product's region in it.
        regions: in pixels of the captured image, the highest peak first; likewise.
        map: float32 (H, W) at the graph's input size, on the same scale as the score.
        latency_ms: ``preprocess``, ``graph``, ``calibration``, ``regions``.
        rows: float32 (rows, width), what the language model reads, of the worst piece; None where the bundle
            has none.
        evidence: the log-odds of an anomaly that stand in the rows; None likewise.
        outlines: the corners (x, y) of every piece that was looked at, in pixels of the captured image; none
            where that is all of it in one.
    """

    verdict: Verdict
    score: float
    p_value: float
    p_anomaly: float
    location: str
    regions: tuple[Region, ...]
    map: Array
    latency_ms: dict[str, float]
    rows: Array | None = None
    evidence: float | None = None
    outlines: tuple[Polygon, ...] = ()


class Inspector:
    """Judges images by one product's memory; used by one thread at a time.

    Several inspectors may share an engine, in turn.

    Raises:
        ProductError: the memory does not fit the engine's graph.
    """

    def __init__(self, engine: Engine, memory: Memory) -> None:
        self._engine = engine
        self.memory = memory
        self.use(memory)

    def use(self, memory: Memory) -> None:
        """Changes the product; the next image is judged by it."""
        if set(memory.arrays) != set(self._engine.memory_shapes):
            raise ProductError(
                f"The product was learned with bundle {memory.bundle_id}, whose graph has different inputs.",
                "Enroll it again with this bundle.",
            )
        self.memory = memory

    def blind_spot(self) -> str | None:
        """What this product's images hide from the graph, in words; None where they hide nothing."""
        return self.memory.view.hides(self.memory.shape, self._engine.input_size)

    def inspect(self, image: Image) -> Finding:
        """Judges one image, uint8 (H, W) grey or (H, W, 3) BGR.

        Raises:
            FrameError: the image cannot be inspected.
            EngineError: the graph failed.
        """
        placement = self.placed(image)
        return self._inferred(image, placement)

    def placed(self, image: Image) -> Placement:
        """Where in an image the product's view looks.

        Raises:
            FrameError: the image cannot be inspected, or there is no part in view, or more than one.
        """
        return self.memory.view.placed(image, self._engine.input_size)

    def inspect_encoded(self, encoded: Sequence[Encoded], placement: Placement) -> Finding:
        """Judges what was encoded of the pieces of an image, as its placement shows them.

        Equal to :meth:`inspect`.
        """
        return self._judge([self._engine.match(each, self.memory.arrays) for each in encoded], placement)

    def warm_up(self) -> Finding:
        """Judges a black image of the references' size, wherever a part would lie in it.

        Raises:
            EngineError: the graph failed.
        """
        placement = self.memory.view.anchored(self.memory.shape, self._engine.input_size)
        black = np.zeros(self.memory.shape, np.uint8)
        return self._inferred(black, placement)

    def _inferred(self, image: Image, placement: Placement) -> Finding:
        pieces = placement.pieces(image)
        return self._judge([self._engine.infer(piece, self.memory.arrays) for piece in pieces], placement)

    def _judge(self, outputs: Sequence[EngineOutput], placement: Placement) -> Finding:
        start = time.perf_counter()
        output = max(outputs, key=lambda each: each.score)  # a part is as good as its worst piece
        anomaly_map = mosaic([each.map for each in outputs], placement.view.tiles)
        boundary = self.memory.boundary
        verdict = Verdict.NG if output.score >= boundary else Verdict.OK
        p_value = promised_rate(output.score, self.memory.good_scores, self.memory.references)
        p_anomaly = 1 / (1 + math.exp(-_LOG_ODDS_OF_GOOD * (output.score - boundary) / boundary))
        judged = time.perf_counter()
        if placement.view.ignore:
            hidden = placement.view.ignored((anomaly_map.shape[0], anomaly_map.shape[1]))
            anomaly_map = np.where(hidden > 0, anomaly_map.min(), anomaly_map)
        _, _, width, height = placement.box
        regions = placement.regions(find_regions(anomaly_map, boundary, (height, width)))
        location = peak_location(anomaly_map)
        done = time.perf_counter()
        return Finding(
            verdict=verdict,
            score=round(output.score, 4),
            p_value=round(p_value, 4),
            p_anomaly=round(p_anomaly, 4),
            location=location,
            regions=regions,
            map=placement.framed(reduced(anomaly_map, self._engine.input_size)),
            latency_ms={
                **{name: sum(each.latency_ms[name] for each in outputs) for name in output.latency_ms},
                "calibration": (judged - start) * 1e3,
                "regions": (done - judged) * 1e3,
            },
            rows=output.others.get("rows"),
            evidence=float(output.others["evidence"].item()) if "evidence" in output.others else None,
            outlines=placement.outlines(),
        )


def promised_rate(score: float, good_scores: Array, parts: int) -> float:
    """The p-value of a score: the rate of good parts at or above it that the references can promise.

    The rank among the references' own scores, (1 + those at or above) / (1 + all), and never under
    1 / (1 + parts): N good parts cannot prove a lower rate, however many views of them there are.
    """
    rank = (1 + int(np.count_nonzero(good_scores >= score))) / (1 + good_scores.size)
    return max(rank, 1 / (1 + parts))
