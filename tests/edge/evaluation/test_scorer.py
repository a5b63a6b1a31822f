"""Findings are held against the truth as the figures' definitions say."""

from __future__ import annotations

import numpy as np
import pytest

from edge.evaluation.scorer import CategoryFigures, CategoryScorer, mean_figures, names_a_defect
from edge.inspection import Verdict
from edge.language import Reading
from edge.vision.inspector import Finding

SHAPE = (30, 60)
Mask = np.ndarray


def finding(
    verdict: Verdict, score: float, location: str = "", defect: tuple[slice, slice] | None = None
) -> Finding:
    """A finding whose map, at half the image's size, is 1 on the defect that it sees."""
    anomaly_map = np.zeros((15, 30), np.float32)
    if defect is not None:
        anomaly_map[defect] = 1.0
    return Finding(
        verdict=verdict,
        score=score,
        p_value=0.5,
        p_anomaly=0.5,
        location=location,
        regions=(),
        map=anomaly_map,
        latency_ms={},
    )


def mask_at(rows: int | slice, columns: int | slice) -> Mask:
    mask = np.zeros(SHAPE, bool)
    mask[rows, columns] = True
    return mask


GOOD = np.zeros(SHAPE, bool)
TOP_LEFT = mask_at(slice(2, 6), slice(4, 10))
SEEN_TOP_LEFT = (slice(1, 3), slice(2, 5))


def test_a_perfect_inspector_gets_ones() -> None:
    scorer = CategoryScorer()
    scorer.add(finding(Verdict.OK, 0.1), False, GOOD)
    scorer.add(finding(Verdict.NG, 0.9, "top left", SEEN_TOP_LEFT), True, TOP_LEFT)
    figures = scorer.figures()
    assert figures.image_auroc == 1.0
    assert figures.pixel_auroc == pytest.approx(1.0, abs=0.02)  # enlarging softens the edge
    assert figures.pro == pytest.approx(1.0, abs=0.05)
    assert (figures.accuracy_calibration, figures.balanced_accuracy_calibration) == (1.0, 1.0)
    assert figures.location_accuracy == 1.0


def test_only_the_language_half_can_give_the_language_figures() -> None:
    scorer = CategoryScorer()
    scorer.add(finding(Verdict.OK, 0.1), False, GOOD)
    assert (scorer.figures().accuracy, scorer.figures().balanced_accuracy) == (None, None)


def said(yes: float, no: float) -> Reading:
    return Reading(dialogue=1, yes_logit=yes, no_logit=no, p_anomaly=0.5)


def test_the_language_verdict_has_figures_of_its_own_and_decides_on_the_place() -> None:
    scorer = CategoryScorer()
    scorer.add(finding(Verdict.NG, 0.9, "center"), False, GOOD, said(1.0, 3.0))  # rightly ok
    scorer.add(finding(Verdict.OK, 0.1, "top left"), True, TOP_LEFT, said(3.0, 1.0))  # rightly ng
    scorer.add(
        finding(Verdict.NG, 0.8, "bottom"), True, TOP_LEFT, said(0.0, 0.5)
    )  # missed: its place is none
    figures = scorer.figures()
    assert figures.accuracy == pytest.approx(2 / 3)
    assert figures.accuracy_calibration == pytest.approx(1 / 3)
    assert (figures.balanced_accuracy, figures.balanced_accuracy_calibration) == (0.75, 0.25)
    assert (figures.language_auroc, figures.image_auroc) == (1.0, 0.0)
    assert figures.location_accuracy == 1.0


def test_place_counts_true_alarms_with_a_mask_and_nothing_else() -> None:
    scorer = CategoryScorer()
    scorer.add(finding(Verdict.NG, 0.9, "top left"), True, TOP_LEFT)  # right
    scorer.add(finding(Verdict.NG, 0.9, "bottom right"), True, TOP_LEFT)  # wrong
    scorer.add(finding(Verdict.NG, 0.9, ""), True, TOP_LEFT)  # an alarm that names no place is wrong
    scorer.add(finding(Verdict.OK, 0.1), True, TOP_LEFT)  # no alarm
    scorer.add(finding(Verdict.NG, 0.9, "center"), False, GOOD)  # a false one
    scorer.add(finding(Verdict.NG, 0.9, "center"), True, None)  # where the defect is, nobody knows
    assert scorer.figures().location_accuracy == pytest.approx(1 / 3)


def test_without_masks_there_are_no_pixel_figures() -> None:
    scorer = CategoryScorer()
    scorer.add(finding(Verdict.OK, 0.1), False, GOOD)
    scorer.add(finding(Verdict.NG, 0.9, "center"), True, None)
    figures = scorer.figures()
    assert (figures.pixel_auroc, figures.pro, figures.location_accuracy) == (None, None, None)
    assert figures.image_auroc == 1.0


@pytest.mark.parametrize(
    ("location", "row", "column"),
    [
        ("top left", 0, 0),
        ("top", 0, 1),
        ("top right", 0, 2),
        ("left", 1, 0),
        ("center", 1, 1),
        ("right", 1, 2),
        ("bottom left", 2, 0),
        ("bottom", 2, 1),
        ("bottom right", 2, 2),
    ],
)
def test_a_cell_is_a_third_by_a_third_of_the_image(location: str, row: int, column: int) -> None:
    cell = mask_at(slice(10 * row, 10 * row + 10), slice(20 * column, 20 * column + 20))
    corners = [(10 * row, 20 * column), (10 * row + 9, 20 * column + 19)]
    for corner in corners:
        assert names_a_defect(location, mask_at(*corner))
    assert not names_a_defect(location, ~cell)


def test_any_part_of_a_defect_in_the_named_cell_counts() -> None:
    across = mask_at(slice(5, 25), 30)  # from the top to the bottom through the centre
    assert all(names_a_defect(words, across) for words in ("top", "center", "bottom"))
    assert not names_a_defect("left", across)


def test_a_mean_leaves_out_the_figures_that_are_missing() -> None:
    mean = mean_figures([CategoryFigures(image_auroc=0.5, pro=0.25), CategoryFigures(image_auroc=1.0)])
    assert (mean.image_auroc, mean.pro, mean.accuracy) == (0.75, 0.25, None)
