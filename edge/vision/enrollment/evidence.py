"""From the bank to evidence: how far good parts lie from it, and how far simulated defects do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edge.vision.calibration import Evidence
from edge.vision.enrollment.banks import Bank
from edge.vision.enrollment.encodings import EncodedLook
from edge.vision.enrollment.matching import Matcher
from edge.vision.enrollment.views import Look
from edge.vision.memory import as_float32


def evidence_of(
    own: Sequence[EncodedLook],
    everyday: Iterable[EncodedLook],
    defects: Iterable[EncodedLook],
    bank: Bank,
    matcher: Matcher,
    self_similarity: Sequence[float],
) -> Evidence:
    """The raw scores that a product's scale is made from: of whole parts, a part's being its worst piece's.

    Each view is judged by the other references; one of a lone reference by that one.

    Args:
        own: the references as they are.
        everyday: everyday views of a lone reference; none where there are several.
        defects: views with a simulated defect, each on one piece of a part.
        self_similarity: each reference's raw score against its own other places.
    """
    count = 1 + max(each.view.reference for each in own)
    banks = [bank] if count == 1 else [bank.without(number) for number in range(count)]

    def scored(view: EncodedLook) -> float:
        return matcher.raw_score(view.encoded, banks[view.view.reference])

    good = {(each.view.reference, each.view.piece): scored(each) for each in own} if count > 1 else {}

    def with_the_rest(view: Look, score: float) -> float:
        """Of the part that a piece with a defect is of: its other pieces are those of the reference."""
        rest = [good[at] for at in good if at[0] == view.reference and at[1] != view.piece]
        return max([score, *rest])

    # The everyday views first: chance has a part in both, and is drawn in this order.
    views = _worst((each.view.part, scored(each)) for each in everyday)
    of_defects = [(with_the_rest(each.view, scored(each)), each.view.typical_defect) for each in defects]
    scores = [score for score, _ in of_defects]
    typical = [score for score, is_typical in of_defects if is_typical]
    return Evidence(
        leave_one_out=as_float32(_worst((reference, score) for (reference, _), score in good.items())),
        views=as_float32(views),
        self_similarity=as_float32(self_similarity),
        defects=as_float32(scores),
        typical_defects=as_float32(typical or scores),
    )


def _worst(scores: Iterable[tuple[int, float]]) -> list[float]:
    """The highest score of each number, in the order in which they come."""
    worst: dict[int, float] = {}
    for number, score in scores:
        worst[number] = max(score, worst.get(number, score))
    return list(worst.values())
