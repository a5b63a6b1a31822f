"""What the language model's verdict adds to the vision path, and how fast it writes.

Each image is judged without and with the language model, in turn either first, so that a machine
that slows down or speeds up meanwhile does so for both; differences are taken image by image.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge.errors import LanguageError
from edge.image_types import Image
from edge.station.deciding import Decider
from edge.vision.inspector import Inspector

WARM_UP_ROUNDS = 3


@dataclass(slots=True)
class LanguageRun:
    """One sample of each per round; those of one round are of the same image.

    Attributes:
        vision_ms: from the decoded image to the finding.
        verdict_ms: from the decoded image to the language model's verdict.
        sentence_ms: from the verdict to the end of its sentence.
        sentence_words: how many words the sentence has.
    """

    vision_ms: list[float] = field(default_factory=list)
    verdict_ms: list[float] = field(default_factory=list)
    sentence_ms: list[float] = field(default_factory=list)
    sentence_words: list[int] = field(default_factory=list)

    @property
    def added_ms(self) -> list[float]:
        """What the verdict added to the vision path, round by round."""
        return [float(ms) for ms in np.subtract(self.verdict_ms, self.vision_ms)]

    @property
    def words_per_second(self) -> float:
        """Words of all sentences by the time that they took."""
        return 1e3 * sum(self.sentence_words) / sum(self.sentence_ms)


def run_language(
    inspector: Inspector,
    decider: Decider,
    images: Sequence[Image],
    rounds: int,
    progress: Callable[[str, int, int], None],
) -> LanguageRun:
    """Judge an image without and with the language model, then have it say why; ``rounds`` times.

    Raises:
        LanguageError: it gives no verdict or no sentence.
    """
    run = LanguageRun()
    shown = itertools.islice(itertools.cycle(images), WARM_UP_ROUNDS + rounds)
    for number, image in enumerate(shown, start=1):
        progress("timing the language model", number, WARM_UP_ROUNDS + rounds)
        vision_first = bool(number % 2)
        vision_ms = _vision_ms(inspector, image) if vision_first else 0.0
        verdict_ms, dialogue = _verdict_ms(inspector, decider, image)
        start = time.perf_counter()
        words = len(decider.sentence(dialogue).split())
        sentence_ms = (time.perf_counter() - start) * 1e3
        decider.release(dialogue)
        if not vision_first:
            vision_ms = _vision_ms(inspector, image)
        if number > WARM_UP_ROUNDS:
            run.vision_ms.append(vision_ms)
            run.verdict_ms.append(verdict_ms)
            run.sentence_ms.append(sentence_ms)
            run.sentence_words.append(words)
    return run


def _vision_ms(inspector: Inspector, image: Image) -> float:
    start = time.perf_counter()
    inspector.inspect(image)
    return (time.perf_counter() - start) * 1e3


def _verdict_ms(inspector: Inspector, decider: Decider, image: Image) -> tuple[float, int]:
    """Milliseconds to the verdict, and the dialogue about it."""
    start = time.perf_counter()
    decision = decider.decide(inspector.inspect(image))
    took_ms = (time.perf_counter() - start) * 1e3
    if decision.dialogue is None:
        raise LanguageError(decision.error, "Measure on a machine that is less busy.")
    return took_ms, decision.dialogue
