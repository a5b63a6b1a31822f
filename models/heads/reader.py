"""The reader: from a product's calibrated map to what can be said about the part.

A small convolutional network with pooling, as AnomalyGPT's prompt learner begins (section 3.5).
What it reads off the map stands in 33 numbers, from which :mod:`models.heads.prompt_learner` makes
embeddings: how far the part is from the verdict's boundary, and how many anomalies it has, where,
how large and of which shape. They are the narrow place of the language half: all that the language
model knows of a part goes through them, and each has a meaning.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from edge.facts import COUNTS, PLACES, SHAPES, SIZES
from models.heads.definition import Definition
from models.heads.eager import EagerOperators


@dataclass(frozen=True, slots=True)
class Readings:
    """What was read off a batch of maps.

    Attributes:
        evidence: (B,), log-odds that the part is anomalous: 0 on the verdict's boundary.
        count: (B, 3) logits of ``COUNTS``.
        place: (B, 9) logits of ``PLACES``.
        places: (B, 9) logits, each whether that place holds an anomaly.
        size, shape: (B, 3) and (B, 2) logits.
    """

    evidence: torch.Tensor
    count: torch.Tensor
    place: torch.Tensor
    places: torch.Tensor
    size: torch.Tensor
    shape: torch.Tensor


class Reader(nn.Module):
    """About 0.05 M parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(2, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 9, 64),
            nn.ReLU(),
        )
        self.details = nn.Linear(64 + 2, len(COUNTS) + len(SIZES) + len(SHAPES) + len(PLACES))
        self.focus = nn.Parameter(torch.tensor(8.0))

    def forward(self, maps: torch.Tensor, scores: torch.Tensor) -> Readings:
        """Reads maps.

        Args:
            maps: (B, 48, 48) float32, on the product's scale with the verdict's boundary at 1.
            scores: (B,), the image's score on that scale.
        """
        learned = {f"reader.{name}": value for name, value in self.named_parameters()}
        details, evidence = Definition(EagerOperators(learned)).read(maps[:, None], scores)
        return Readings(evidence, **details)


def extent(relative: torch.Tensor) -> torch.Tensor:
    """How much of a map stands out, and how long that is against its width: (B, 2) logarithms.

    Args:
        relative: (B, 48, 48), the map over its peak.
    """
    return _DEFINITION.extent(relative[:, None])


def plain_evidence(scores: torch.Tensor) -> torch.Tensor:
    """Log-odds of the score alone: (B,)."""
    return _DEFINITION.evidence(scores)


def slots(readings: Readings) -> torch.Tensor:
    """The numbers that the embeddings are made of: (B, 33), each between -1 and 1."""
    details = {name: getattr(readings, name) for name in ("count", "place", "places", "size", "shape")}
    return _DEFINITION.slots(details, readings.evidence)


_DEFINITION = Definition(EagerOperators())  # of what needs nothing learned

SLOTS = 4 + 3 + len(COUNTS) + len(PLACES) * 2 + len(SIZES) + len(SHAPES)
