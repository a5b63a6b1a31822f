"""Orientations are taken where they explain the references clearly better, and the simplest that do."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from edge.errors import ProductError
from edge.vision.engine import Encoded
from edge.vision.enrollment.banks import Bank
from edge.vision.enrollment.encodings import EncodedLook
from edge.vision.enrollment.matching import Matcher
from edge.vision.enrollment.orientations import check_rotations, explaining_rotations
from edge.vision.enrollment.views import Look
from edge.vision.views import TURNS_DEG
from tests.edge.vision.enrollment.encoded import NOTHING, encoded_view


class Said:
    """A matcher that says what stands in the view's first feature."""

    def raw_score(self, encoded: Encoded, bank: Bank) -> float:
        assert bank.features.size
        return float(encoded.features[0, 0])


def explained(scores: dict[float, float]) -> str:
    """With a second reference that scores so at these angles, and 1 at the others."""
    own = [encoded_view(0), encoded_view(1)]
    tried = [
        EncodedLook(Look(1, NOTHING, angle), Encoded(np.full((1, 8), scores.get(angle, 1.0), np.float32)))
        for angle in TURNS_DEG["fine"]
    ]
    return explaining_rotations(own, tried, cast("Matcher", Said()))


@pytest.mark.parametrize(
    ("scores", "rotations"),
    [
        ({}, "none"),
        ({90: 0.95}, "none"),  # the best of several tries is always a little better
        ({90: 0.5}, "90"),
        ({30: 0.5}, "fine"),
        ({90: 0.5, 30: 0.48}, "90"),  # hardly better: the simpler one stays
        ({90: 0.5, 30: 0.3}, "fine"),
    ],
)
def test_the_simplest_that_explains_clearly_better_is_taken(
    scores: dict[float, float], rotations: str
) -> None:
    assert explained(scores) == rotations


def test_an_unknown_kind_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ProductError, match="Rotations can be auto, none, 90, fine; not 'sideways'"):
        check_rotations("sideways")
