"""What a mask says of a part, in words."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.facts import (
    PLACES,
    STREAK_ELONGATION,
    SURENESS,
    PartFacts,
    count_of,
    elongation,
    facts_of_mask,
    size_of,
    sureness_of,
    touched_places,
)

SHAPE = (300, 360)
"""Nine cells of 100 by 120 pixels."""


def discs(*centres_and_radius: tuple[int, int, int]) -> np.ndarray:
    mask = np.zeros(SHAPE, np.uint8)
    for x, y, radius in centres_and_radius:
        cv2.circle(mask, (x, y), radius, 255, -1)
    return mask


def box(x: int, y: int, width: int, height: int) -> np.ndarray:
    mask = np.zeros(SHAPE, np.uint8)
    mask[y : y + height, x : x + width] = 1
    return mask


@pytest.mark.parametrize(
    ("mask", "count", "place", "places", "size", "shape"),
    [
        # One spot in the middle of each row's first cells.
        (discs((60, 50, 10)), "one", "top left", {"top left"}, "small", "spot"),
        (discs((180, 150, 20)), "one", "center", {"center"}, "medium-sized", "spot"),
        (discs((300, 250, 40)), "one", "bottom right", {"bottom right"}, "large", "spot"),
        # The largest is the main one; a much smaller one makes its place none of the places.
        (discs((60, 50, 20), (300, 250, 19)), "two", "top left", {"top left", "bottom right"}, None, "spot"),
        (discs((60, 50, 20), (300, 250, 4)), "two", "top left", {"top left"}, None, "spot"),
        (discs((60, 50, 8), (180, 150, 8), (300, 250, 9)), "several", "bottom right", None, "small", "spot"),
        # Crumbs that lie near to each other are one anomaly.
        (discs((60, 50, 5), (74, 50, 5), (60, 64, 5)), "one", "top left", {"top left"}, "small", "spot"),
        # Long and thin, straight or aslant.
        (box(10, 148, 100, 4), "one", "left", {"left"}, "small", "streak"),
        (
            cv2.line(box(0, 0, 0, 0), (140, 120), (220, 180), 1, 3),
            "one",
            "center",
            {"center"},
            None,
            "streak",
        ),
        (box(20, 20, 40, 30), "one", "top left", {"top left"}, "medium-sized", "spot"),
        # Across two cells by halves, and only grazing the second.
        (box(100, 40, 40, 20), "one", None, {"top left", "top"}, None, "spot"),
        (box(82, 40, 40, 20), "one", "top left", {"top left"}, None, "spot"),
        # All of the image: no place has a large share of it, and every place is full of it.
        (box(0, 0, 360, 300), "one", None, set(PLACES), "large", "spot"),
    ],
)
def test_a_mask_in_words(
    mask: np.ndarray, count: str, place: str | None, places: set[str] | None, size: str | None, shape: str
) -> None:
    facts = facts_of_mask(mask)
    assert (facts.count, facts.shape) == (count, shape)
    assert facts.place in facts.places
    assert place in (None, facts.place)
    assert places is None or facts.places == places
    assert size in (None, facts.size)


def test_a_good_part_has_no_facts_but_how_sure_one_is() -> None:
    assert facts_of_mask(discs(), "not sure") == PartFacts(sureness="not sure")
    assert not facts_of_mask(discs()).anomalous
    assert facts_of_mask(discs((60, 50, 10))).anomalous


def test_any_value_above_zero_marks_an_anomaly() -> None:
    mask = discs((60, 50, 10))
    assert facts_of_mask(mask) == facts_of_mask(mask // 255)


@pytest.mark.parametrize("scale", [0.5, 3])
def test_the_same_anomaly_at_another_resolution_has_the_same_facts(scale: float) -> None:
    mask = discs((60, 50, 20), (300, 150, 10))
    resized = cv2.resize(mask, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    assert facts_of_mask(resized) == facts_of_mask(mask)


def test_a_place_is_touched_by_a_single_pixel() -> None:
    assert touched_places(discs()) == frozenset()
    assert touched_places(box(119, 99, 2, 2)) == {"top left", "top", "left", "center"}


@pytest.mark.parametrize(
    ("long", "wide", "expected"), [(10, 10, 1.0), (30, 10, 3.0), (50, 1, 50.0), (1, 1, 1.0)]
)
def test_a_box_is_as_elongated_as_its_sides(long: int, wide: int, expected: float) -> None:
    assert elongation(box(5, 5, long, wide)) == pytest.approx(expected, rel=0.01)
    assert elongation(box(5, 5, wide, long)) == pytest.approx(expected, rel=0.01)
    assert STREAK_ELONGATION > 1


@pytest.mark.parametrize(
    ("share", "word"),
    [(0, "small"), (0.0059, "small"), (0.006, "medium-sized"), (0.03, "large"), (1, "large")],
)
def test_sizes(share: float, word: str) -> None:
    assert size_of(share) == word


@pytest.mark.parametrize(
    ("number", "word"), [(0, ""), (1, "one"), (2, "two"), (3, "several"), (9, "several")]
)
def test_counts(number: int, word: str) -> None:
    assert count_of(number) == word


@pytest.mark.parametrize(
    ("evidence", "index"), [(0.0, 0), (0.99, 0), (-0.99, 0), (1.0, 1), (-2.4, 1), (2.5, 2), (-8.0, 2)]
)
def test_sureness_is_how_far_the_evidence_is_from_the_boundary(evidence: float, index: int) -> None:
    assert sureness_of(evidence) == SURENESS[index]
