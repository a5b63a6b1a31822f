"""One precision's figures against fp32, as they add up over products and parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from build_engines.graph.head import uncalibrated_memory
from build_engines.parity.labelled import LabelledProduct
from edge.bundle import Bundle
from edge.choices import Precision
from edge.evaluation.metrics import auroc
from edge.image_types import Array
from edge.vision.engine import Encoded, Engine, MemoryArrays
from edge.vision.enrollment import enroll
from edge.vision.memory import Memory


@dataclass(slots=True)
class PrecisionFigures:
    """What was measured of one precision.

    Attributes:
        cosines: per image, the mean cosine of its patches to the reference's.
        lowest: the cosine of the worst patch.
        aurocs: per product that has both kinds of parts.
        map_differences: per part of an enrolled product, the mean distance of its calibrated map to fp32's.
        widest: the largest distance at any pixel.
        agreed: per such part, whether the calibrated verdict is fp32's.
    """

    cosines: list[float] = field(default_factory=list)
    lowest: float = 1.0
    aurocs: list[float] = field(default_factory=list)
    map_differences: list[float] = field(default_factory=list)
    widest: float = 0.0
    agreed: list[bool] = field(default_factory=list)

    def add_cosines(self, cosines: Array) -> None:
        """One image's, of all its patches."""
        self.cosines.append(float(cosines.mean()))
        self.lowest = min(self.lowest, float(cosines.min()))

    def add_judgement(self, difference: Array, agreed: bool) -> None:
        """One part's, of an enrolled product: its maps' distance, (H, W), and whether the verdicts agree."""
        self.map_differences.append(float(np.abs(difference).mean()))
        self.widest = max(self.widest, float(np.abs(difference).max()))
        self.agreed.append(agreed)


def measure(
    product: LabelledProduct,
    bundle: Bundle,
    engines: Mapping[Precision, Engine],
    figures: Mapping[Precision, PrecisionFigures],
) -> None:
    """Adds one product: every precision judges its parts by its own features of the reference.

    Args:
        product: with an enrollment of its own in every precision where it says so.
        bundle: of the engines.
        engines: fp32 among them.
        figures: to add to.
    """
    references = {precision: engine.encode(product.reference) for precision, engine in engines.items()}
    plain: dict[Precision, MemoryArrays] = {
        precision: uncalibrated_memory(engine.memory_shapes, references[precision].features)
        for precision, engine in engines.items()
    }
    learned: dict[Precision, Memory] = {}
    if product.enrolled:
        learned = {
            precision: enroll(engine, [product.reference], bundle_id=bundle.id)
            for precision, engine in engines.items()
        }
    scores: dict[Precision, list[float]] = {precision: [] for precision in engines}
    for image, _ in product.parts:
        encoded = {precision: engine.encode(image) for precision, engine in engines.items()}
        for precision, engine in engines.items():
            figures[precision].add_cosines(cosines(encoded[precision].features, encoded["fp32"].features))
            scores[precision].append(engine.match(encoded[precision], plain[precision]).score)
        if learned:
            _judge(engines, encoded, learned, figures)
    _add_aurocs(scores, [defective for _, defective in product.parts], figures)


def cosines(a: Array, b: Array) -> Array:
    """The cosine of each row of ``a`` to the same row of ``b``."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    found: Array = (a * b).sum(axis=1) / lengths
    return found


def _judge(
    engines: Mapping[Precision, Engine],
    encoded: Mapping[Precision, Encoded],
    learned: Mapping[Precision, Memory],
    figures: Mapping[Precision, PrecisionFigures],
) -> None:
    """Each precision's map and verdict of a part, by the product that it learned itself."""
    outputs = {
        precision: engine.match(encoded[precision], learned[precision].arrays)
        for precision, engine in engines.items()
    }
    verdicts = {
        precision: output.score >= learned[precision].boundary for precision, output in outputs.items()
    }
    for precision, output in outputs.items():
        figures[precision].add_judgement(
            output.map - outputs["fp32"].map, verdicts[precision] == verdicts["fp32"]
        )


def _add_aurocs(
    scores: Mapping[Precision, Sequence[float]],
    labels: Sequence[bool],
    figures: Mapping[Precision, PrecisionFigures],
) -> None:
    for precision, of_parts in scores.items():
        area = auroc(of_parts, labels)
        if area is not None:
            figures[precision].aurocs.append(area)
