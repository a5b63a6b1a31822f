"""Each view is judged by what the other references showed; a lone one by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np

from edge.vision.engine import Encoded
from edge.vision.enrollment.banks import Bank, bank_of
from edge.vision.enrollment.encodings import EncodedLook
from edge.vision.enrollment.evidence import evidence_of
from edge.vision.enrollment.matching import Matcher
from tests.edge.vision.enrollment.encoded import encoded_view


class Distances:
    """A matcher in numpy: the distance of the patch that lies farthest from the bank."""

    def raw_score(self, encoded: Encoded, bank: Bank) -> float:
        return float((1 - (encoded.features @ bank.features.T).max(axis=1)).max())


MATCHER = cast("Matcher", Distances())


def test_several_references_are_judged_by_the_others() -> None:
    own = [encoded_view(0), encoded_view(1, axis=0), encoded_view(2)]  # the third is like none
    defects = [encoded_view(0, axis=2, angle_deg=None, typical=True), encoded_view(1, axis=5, angle_deg=None)]
    evidence = evidence_of(own, (), defects, bank_of(own), MATCHER, [0.3, 0.3, 0.3])
    np.testing.assert_array_equal(evidence.leave_one_out, [0, 0, 1])
    np.testing.assert_array_equal(evidence.defects, [0, 1])
    np.testing.assert_array_equal(evidence.typical_defects, [0])
    assert evidence.views.size == 0


def test_a_lone_reference_is_judged_by_itself() -> None:
    own = [encoded_view(0)]
    everyday = [encoded_view(0, angle_deg=None), encoded_view(0, axis=1, angle_deg=None, part=1)]
    evidence = evidence_of(
        own, everyday, [encoded_view(0, axis=3, angle_deg=None)], bank_of(own), MATCHER, [0.2]
    )
    np.testing.assert_array_equal(evidence.views, [0, 1])
    assert evidence.leave_one_out.size == 0
    np.testing.assert_array_equal(evidence.typical_defects, evidence.defects)  # where none is typical


def test_a_part_in_pieces_is_as_bad_as_its_worst_piece() -> None:
    own = [encoded_view(0, piece=0), encoded_view(0, piece=1), encoded_view(1, axis=0, piece=0)]
    own.append(encoded_view(1, axis=4, piece=1))  # as no piece of the other reference looks
    defects = [
        encoded_view(1, axis=0, angle_deg=None, piece=0),
        encoded_view(0, axis=0, angle_deg=None, piece=1),
    ]
    evidence = evidence_of(own, (), defects, bank_of(own), MATCHER, [0.3, 0.3])
    np.testing.assert_array_equal(evidence.leave_one_out, [0, 1])
    np.testing.assert_array_equal(evidence.defects, [1, 0])  # what is seen of the first comes with its rest

    lone = own[:2]
    everyday = [encoded_view(0, axis=axis, piece=piece, part=0) for piece, axis in enumerate((0, 3))]
    evidence = evidence_of(lone, everyday, defects[1:], bank_of(lone), MATCHER, [0.3])
    np.testing.assert_array_equal(evidence.views, [1])


def test_everyday_views_are_drawn_before_the_defects() -> None:
    """Both draw from one source of chance: in another order, other products would be learned."""
    drawn: list[str] = []

    def noted(name: str, looks: list[EncodedLook]) -> Iterator[EncodedLook]:
        for look in looks:
            drawn.append(name)
            yield look

    own = [encoded_view(0)]
    everyday = noted("everyday", [encoded_view(0, axis=axis, part=axis) for axis in range(3)])
    defects = noted("defect", [encoded_view(0, axis=3, angle_deg=None)] * 2)
    evidence_of(own, everyday, defects, bank_of(own), MATCHER, [0.2])
    assert drawn == ["everyday"] * 3 + ["defect"] * 2
