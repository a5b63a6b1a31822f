"""Precisions side by side, and each one's vision path against the bare encoder.

All of them take their turn on every image, so that a machine that slows down or speeds up meanwhile
does so for all alike; ratios are taken image by image, and their median is what counts.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge.choices import Precision
from edge.evaluation.bare_encoder import BareEncoder
from edge.image_types import Image
from edge.vision.inspector import Inspector

WARM_UP_ROUNDS = 3


@dataclass(slots=True)
class PrecisionRun:
    """The samples of one precision, one per round; those of one round are of the same image.

    Attributes:
        vision_ms: the whole vision path, from the decoded image to the finding.
        encoder_ms: the bare encoder, right before or right after it.
    """

    vision_ms: list[float] = field(default_factory=list)
    encoder_ms: list[float] = field(default_factory=list)

    @property
    def ratio_to_encoder(self) -> float:
        """What the vision path costs, the bare encoder being 1."""
        return _median_ratio(self.vision_ms, self.encoder_ms)

    def vision_speedup(self, over: PrecisionRun) -> float:
        """How many times as fast as another precision the vision path is."""
        return _median_ratio(over.vision_ms, self.vision_ms)

    def encoder_speedup(self, over: PrecisionRun) -> float:
        """How many times as fast as in another precision the bare encoder is."""
        return _median_ratio(over.encoder_ms, self.encoder_ms)


def run_precisions(
    contestants: Mapping[Precision, tuple[Inspector, BareEncoder]],
    images: Sequence[Image],
    rounds: int,
    progress: Callable[[str, int, int], None],
) -> dict[Precision, PrecisionRun]:
    """One sample of each contestant's vision path and bare encoder per round.

    Args:
        contestants: by precision.
        images: uint8 (H, W) or (H, W, 3); one per round, from the first again after the last.
        rounds: samples of each kind.
        progress: called before each round.
    """
    runs = {precision: PrecisionRun() for precision in contestants}
    shown = itertools.islice(itertools.cycle(images), WARM_UP_ROUNDS + rounds)
    for number, image in enumerate(shown, start=1):
        progress("comparing precisions", number, WARM_UP_ROUNDS + rounds)
        for precision, (inspector, encoder) in contestants.items():
            vision_ms, encoder_ms = _pair(inspector, encoder, image, encoder_first=bool(number % 2))
            if number > WARM_UP_ROUNDS:
                runs[precision].vision_ms.append(vision_ms)
                runs[precision].encoder_ms.append(encoder_ms)
    return runs


def _pair(
    inspector: Inspector, encoder: BareEncoder, image: Image, *, encoder_first: bool
) -> tuple[float, float]:
    """Milliseconds of the vision path and of the bare encoder; in turn either goes first."""
    encoder_ms = encoder.measure(image) if encoder_first else 0.0
    start = time.perf_counter()
    inspector.inspect(image)
    vision_ms = (time.perf_counter() - start) * 1e3
    return vision_ms, encoder_ms if encoder_first else encoder.measure(image)


def _median_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    return float(np.median(np.divide(numerators, denominators)))
