"""From the bank to evidence: how far good parts lie from it, and how far simulated defects do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edge.vision.calibration import Evidence
from edge.vision.enrollment.banks import Bank
from edge.vision.enrollment.encodings import EncodedLook
from edge.vision.enrollment.matching import Matcher
from edge.vision.memory import as_float32


def evidence_of(
    own: Sequence[EncodedLook],
    everyday: Iterable[EncodedLook],
    defects: Iterable[EncodedLook],
    bank: Bank,
    matcher: Matcher,
    self_similarity: Sequence[float],
) -> Evidence:
    """The raw scores that a product's scale is made from.

    Each view is judged by the other references; one of a lone reference by that one.

    Args:
        own: the references as they are.
        everyday: everyday views of a lone reference; none where there are several.
        defects: views with a simulated defect.
        self_similarity: each reference's raw score against its own other places.
    """
    banks = [bank] if len(own) == 1 else [bank.without(number) for number in range(len(own))]

    def scored(view: EncodedLook) -> float:
        return matcher.raw_score(view.encoded, banks[view.view.reference])

    views = [scored(view) for view in everyday]
    of_defects = [(scored(view), view.view.typical_defect) for view in defects]
    scores = [score for score, _ in of_defects]
    typical = [score for score, is_typical in of_defects if is_typical]
    return Evidence(
        leave_one_out=as_float32([scored(view) for view in own] if len(own) > 1 else []),
        views=as_float32(views),
        self_similarity=as_float32(self_similarity),
        defects=as_float32(scores),
        typical_defects=as_float32(typical or scores),
    )
