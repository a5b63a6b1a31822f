"""The figures equal their definitions, written out here the slow way."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.evaluation.metrics import Decisions, PixelCurves, auroc, mean_known, share

Array = np.ndarray
Picture = tuple[Array, Array]
"""A map and its mask."""

# Few distinct values, so that ties between good and defective are common.
SCORES = st.sampled_from([-2.5, 0.0, 0.1, 0.25, 0.5, 1.0, 1.7, 40.0])
PARTS = st.lists(st.tuples(SCORES, st.booleans()), max_size=30)
OUTCOMES = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30)


def pairwise_auroc(scores: Sequence[float], defective: Sequence[bool]) -> float | None:
    """The share of (defective, good) pairs in the right order, ties one half."""
    bad = [s for s, d in zip(scores, defective, strict=True) if d]
    good = [s for s, d in zip(scores, defective, strict=True) if not d]
    if not bad or not good:
        return None
    wins = [1.0 if b > g else 0.5 if b == g else 0.0 for b in bad for g in good]
    return sum(wins) / len(wins)


def known(figure: float | None) -> float:
    """A figure that the data must give."""
    assert figure is not None
    return figure


def share_above(values: Array, thresholds: Array) -> Array:
    return 1 - np.searchsorted(np.sort(values), thresholds, side="left") / values.size


def pro_by_thresholds(images: Sequence[Picture], limit: float) -> float | None:
    """Every threshold one by one: mean region overlap against the share of good pixels, trapezoids."""
    regions, good = [], []
    for scores, mask in images:
        count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        regions += [scores[labels == number] for number in range(1, count)]
        good.append(scores[~mask])
    good_scores = np.concatenate(good)
    if not regions or not good_scores.size:
        return None
    thresholds = np.unique(np.concatenate([scores.ravel() for scores, _ in images]))[::-1]
    overlap = np.mean([share_above(region, thresholds) for region in regions], axis=0)
    points = [(0.0, 0.0), *zip(share_above(good_scores, thresholds), overlap, strict=True)]
    area = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x0 >= limit:
            break
        if x1 > limit:
            y1 = y0 + (y1 - y0) * (limit - x0) / (x1 - x0)
            x1 = limit
        area += (x1 - x0) * (y0 + y1) / 2
    return area / limit


def pictures(seed: int, count: int = 4, side: int = 64, levels: int | None = None) -> Iterator[Picture]:
    """Maps with blobs that are only partly right, and their masks; the first part is good."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        mask = np.zeros((side, side + 3), bool)
        for _ in range(number):
            row, column = rng.integers(0, side - 5, 2)
            mask[row : row + rng.integers(1, 6), column : column + rng.integers(1, 6)] = True
        scores = rng.normal(0.2, 0.15, mask.shape) + mask * rng.normal(0.3, 0.3)
        if levels:
            scores = np.round(scores * levels) / levels
        yield scores.astype(np.float32), mask


def curves_of(images: Sequence[Picture]) -> PixelCurves:
    curves = PixelCurves()
    for scores, mask in images:
        curves.add(scores, mask)
    return curves


@given(PARTS)
def test_image_auroc_is_the_share_of_pairs_in_order(parts: list[tuple[float, bool]]) -> None:
    scores, defective = [s for s, _ in parts], [d for _, d in parts]
    expected = pairwise_auroc(scores, defective)
    found = auroc(scores, defective)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-12))


@given(OUTCOMES)
def test_accuracies_are_shares_of_right_verdicts(outcomes: list[tuple[bool, bool]]) -> None:
    decisions = Decisions.count(outcomes)
    right = [called == truth for called, truth in outcomes]
    assert decisions.accuracy == (None if not right else pytest.approx(np.mean(right)))
    defective = [called for called, truth in outcomes if truth]
    good = [not called for called, truth in outcomes if not truth]
    both = bool(defective and good)
    expected = pytest.approx((np.mean(defective) + np.mean(good)) / 2) if both else None
    assert decisions.balanced_accuracy == expected


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([None, 5, 50]))
def test_pixel_auroc_is_within_its_stated_error(seed: int, levels: int | None) -> None:
    images = list(pictures(seed, levels=levels))
    curves = curves_of(images)
    scores = np.concatenate([s.ravel() for s, _ in images])
    truth = np.concatenate([m.ravel() for _, m in images])
    exact = known(auroc(scores.tolist(), truth.tolist()))
    assert abs(known(curves.auroc) - exact) <= 1e-4
    if levels is None:  # no ties but those of the bins: the bound counts real ties too
        assert abs(known(curves.auroc) - exact) <= curves.auroc_error + 1e-12 <= 1e-4


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([None, 5]), st.sampled_from([0.05, 0.3, 1.0]))
def test_pro_is_the_area_under_the_overlap_of_regions(seed: int, levels: int | None, limit: float) -> None:
    images = list(pictures(seed, levels=levels))
    curves = curves_of(images)
    error = abs(known(curves.pro(limit)) - known(pro_by_thresholds(images, limit)))
    assert error <= 1e-4 / limit
    if levels is None:  # no ties but those of the bins
        assert error <= curves.pro_error(limit) + 1e-12


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3], ids=["tiny", "calibrated", "huge"])
def test_pixel_figures_do_not_hang_on_the_scale_of_the_map(scale: float) -> None:
    images = [(scores * np.float32(scale), mask) for scores, mask in pictures(7)]
    curves = curves_of(images)
    exact = auroc(
        np.concatenate([s.ravel() for s, _ in images]).tolist(),
        np.concatenate([m.ravel() for _, m in images]).tolist(),
    )
    assert curves.auroc == pytest.approx(exact, abs=1e-4)
    assert curves.pro() == pytest.approx(pro_by_thresholds(images, 0.3), abs=1e-4)


def test_a_large_category_stays_within_the_error() -> None:
    """A quarter of a million pixels per class and a heavy overlap: the bins are what decides then."""
    rng = np.random.default_rng(1)
    mask = np.zeros((500, 1000), bool)
    mask[:, 500:] = True
    scores = rng.normal(0.15, 0.02, mask.shape).astype(np.float32) + mask * np.float32(0.01)
    curves = curves_of([(scores, mask)])
    exact = known(auroc(scores.ravel().tolist(), mask.ravel().tolist()))
    assert abs(known(curves.auroc) - exact) <= curves.auroc_error + 1e-12 <= 1e-4
    error = abs(known(curves.pro()) - known(pro_by_thresholds([(scores, mask)], 0.3)))
    assert error <= curves.pro_error() + 1e-12 <= 1e-4


def test_a_perfect_map_gets_ones_and_a_blank_one_the_coin_toss() -> None:
    mask = np.zeros((20, 20), bool)
    mask[5:9, 5:9] = True
    perfect = curves_of([(mask.astype(np.float32), mask)])
    assert (perfect.auroc, perfect.pro()) == (1.0, 1.0)
    blank = curves_of([(np.zeros((20, 20), np.float32), mask)])
    assert blank.auroc == 0.5
    assert blank.pro() == pytest.approx(0.15)  # the diagonal up to 0.3


def test_small_regions_count_as_much_as_large_ones() -> None:
    mask = np.zeros((30, 30), bool)
    mask[0:20, 0:20] = True
    mask[25:27, 25:27] = True
    scores = np.zeros((30, 30), np.float32)
    scores[25:27, 25:27] = 1.0  # the small one is found at no false alarm, the large one never
    found_small = curves_of([(scores, mask)])
    scores = np.zeros((30, 30), np.float32)
    scores[0:20, 0:20] = 1.0
    assert found_small.pro() == pytest.approx(curves_of([(scores, mask)]).pro())


def test_figures_that_the_data_cannot_give_are_none() -> None:
    good_only = curves_of([(np.zeros((8, 8), np.float32), np.zeros((8, 8), bool))])
    assert (good_only.auroc, good_only.pro(), good_only.auroc_error) == (None, None, 0.0)
    defect_only = curves_of([(np.ones((8, 8), np.float32), np.ones((8, 8), bool))])
    assert (defect_only.auroc, defect_only.pro()) == (None, None)
    assert auroc([0.1, 0.2], [True, True]) is None
    assert share([]) is None
    assert mean_known([None, None]) is None


def test_means_leave_out_what_is_not_known() -> None:
    assert mean_known([0.5, None, 1.0]) == 0.75
    assert share([True, False, True, True]) == 0.75


def test_a_mask_of_another_size_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        PixelCurves().add(np.zeros((4, 4), np.float32), np.zeros((4, 5), bool))
