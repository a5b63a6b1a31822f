"""Slots of imagined parts: the dialogue can be learned before a single image is seen.

What the reader reads is drawn at random, clear and doubtful, and the facts that the answers follow
are those that it reads. The language model learns to say them; whether they are true of a part is
the reader's and the decoder's business.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from edge.facts import COUNTS, PLACES, SHAPES, SIZES, PartFacts, sureness_of
from models.heads.constants import CLEAREST
from models.heads.reader import Readings

_HARDLY = 0.15  # Nearer to the boundary than this the two answers are equally right.


@dataclass(frozen=True, slots=True)
class ImaginedPart:
    """What the reader might read of a part, and the facts that follow from it."""

    readings: Readings
    facts: PartFacts
    evidence: float


def imagined_parts(count: int, rng: np.random.Generator) -> list[ImaginedPart]:
    """Parts, half of them anomalous; each ``readings`` is a batch of one."""
    return [_imagined(rng, anomalous=bool(index % 2)) for index in range(count)]


def facts_read(readings: Readings) -> list[PartFacts]:
    """The facts that a batch of readings states."""
    found = []
    for i, evidence in enumerate(readings.evidence.tolist()):
        sureness = sureness_of(evidence)
        if evidence < 0:
            found.append(PartFacts(sureness=sureness))
            continue
        place = PLACES[int(readings.place[i].argmax())]
        held = {PLACES[j] for j in np.flatnonzero((readings.places[i] > 0).numpy())}
        found.append(
            PartFacts(
                count=COUNTS[int(readings.count[i].argmax())],
                place=place,
                places=frozenset(held | {place}),
                size=SIZES[int(readings.size[i].argmax())],
                shape=SHAPES[int(readings.shape[i].argmax())],
                sureness=sureness,
            )
        )
    return found


def joined(readings: list[Readings]) -> Readings:
    """Several batches as one."""
    return Readings(
        *(
            torch.cat([getattr(each, name) for each in readings])
            for name in ("evidence", "count", "place", "places", "size", "shape")
        )
    )


def _imagined(rng: np.random.Generator, *, anomalous: bool) -> ImaginedPart:
    # Many near the boundary, where the answer changes; some far out.
    size = _HARDLY + (CLEAREST - _HARDLY) * rng.beta(0.9, 1.8)
    evidence = float(size if anomalous else -size)
    place = int(rng.integers(len(PLACES)))
    held = np.full(len(PLACES), -3.0)
    held[place] = 3.0
    if rng.random() < 0.4:
        held[rng.integers(len(PLACES))] = 3.0
    held += rng.normal(0, 0.8, len(PLACES))
    held[place] = max(held[place], 0.5)
    readings = Readings(
        evidence=torch.tensor([evidence], dtype=torch.float32),
        count=_logits(int(rng.choice(len(COUNTS), p=[0.6, 0.2, 0.2])), len(COUNTS), rng),
        place=_logits(place, len(PLACES), rng),
        places=torch.tensor(held[None], dtype=torch.float32),
        size=_logits(int(rng.integers(len(SIZES))), len(SIZES), rng),
        shape=_logits(int(rng.integers(len(SHAPES))), len(SHAPES), rng),
    )
    return ImaginedPart(readings, facts_read(readings)[0], evidence)


def _logits(chosen: int, of: int, rng: np.random.Generator) -> torch.Tensor:
    """(1, of) logits whose largest is ``chosen``, by much or by little."""
    logits = rng.normal(0, 0.7, of)
    logits[chosen] = logits.max() + 0.4 + rng.exponential(2.5)
    return torch.tensor(logits[None], dtype=torch.float32)
