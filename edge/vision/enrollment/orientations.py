"""From encoded views to the orientations that parts come in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.errors import ProductError
from edge.vision.enrollment.banks import bank_of
from edge.vision.enrollment.encodings import EncodedLook
from edge.vision.enrollment.matching import Matcher
from edge.vision.views import TURNS_DEG

AUTO = "auto"
FINEST = "fine"

TRIED_REFERENCES = 2
"""References that are tried in other orientations; more would only say the same again."""

# By how much a richer set of orientations must explain the references better: the best of several
# tries is always a little better.
_WORTH_TURNING = 0.9


def check_rotations(rotations: str) -> None:
    """Raises ProductError unless these are rotations that a product may have."""
    if rotations not in (AUTO, *TURNS_DEG):
        raise ProductError(
            f"Rotations can be {AUTO}, {', '.join(TURNS_DEG)}; not {rotations!r}.",
            f"Leave it at {AUTO} if unsure.",
        )


def explaining_rotations(own: Sequence[EncodedLook], tried: Sequence[EncodedLook], matcher: Matcher) -> str:
    """The simplest set of orientations that explains the references.

    Each tried reference is scored in every orientation against the others as they are: where parts
    lie in other orientations, its best turn scores clearly lower than its own pose.

    Args:
        own: the references as they are.
        tried: the first of them at all the finest angles, one reference after the other.
        matcher: by distances alone, without words.
    """
    angles = TURNS_DEG[FINEST]
    others = {
        number: bank_of([each for each in own if each.view.reference != number])
        for number in {each.view.reference for each in tried}
    }
    scores = np.array([matcher.raw_score(each.encoded, others[each.view.reference]) for each in tried])
    logs = np.log(np.maximum(scores.reshape(-1, len(angles)), 1e-4))
    best, explained = "none", float(logs[:, 0].mean())
    for kind, turns in TURNS_DEG.items():
        columns = [angles.index(angle) for angle in turns]
        score = float(logs[:, columns].min(axis=1).mean())
        if score < explained + np.log(_WORTH_TURNING):
            best, explained = kind, score
    return best
