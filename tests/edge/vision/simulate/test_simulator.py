from __future__ import annotations

from collections import Counter

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import FrameError
from edge.image_types import Image
from edge.vision.simulate import (
    CHANGED_LEVELS,
    CONTRASTS,
    KINDS,
    SIZES,
    SimulatedDefect,
    simulate,
    simulate_many,
)
from edge.vision.simulate.defect import LEAST_CONTRAST, LEAST_TRUE_SHARE
from tests.edge.vision.simulate.parts import part, part_outline, sheet

IMAGES = {
    "colour": part(),
    "dark background": part(background=(12, 10, 10)),
    "grey": sheet(),
    "tiny": part(64, 64),
    "smallest": sheet(16, 16),
    "thin": sheet(40, 400),
    "large": part(1100, 1500),
}


def as_colour(image: Image) -> Image:
    return np.repeat(image[:, :, None], 3, axis=2) if image.ndim == 2 else image


def assert_true_to(good: Image, defect: SimulatedDefect) -> None:
    """The defect's mask, area and contrast are what a comparison with the good image finds."""
    assert defect.image.shape == good.shape and defect.image.dtype == np.uint8
    assert defect.mask.shape == good.shape[:2] and defect.mask.dtype == np.uint8
    assert set(np.unique(defect.mask)) == {0, 255}
    inside = defect.mask > 0
    change = np.abs(as_colour(defect.image).astype(int) - as_colour(good))
    assert not change[~inside].any()
    assert np.mean(change[inside].max(axis=1) > CHANGED_LEVELS) >= LEAST_TRUE_SHARE
    assert defect.size_fraction == pytest.approx(inside.mean())
    assert defect.contrast == pytest.approx(change[inside].mean(), abs=0.01)
    assert defect.contrast >= LEAST_CONTRAST


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", IMAGES)
def test_every_kind_marks_what_it_changed_on_every_sort_of_image(name: str, kind: str) -> None:
    good = IMAGES[name]
    for seed in range(1 if name == "large" else 4):
        defect = simulate(good, np.random.default_rng(seed), kind)
        assert defect.kind == kind
        assert_true_to(good, defect)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_generator_state_draws_the_same_defect(kind: str) -> None:
    good, donor = part(), part(140, 170)
    before = good.copy(), donor.copy()
    first, second = (simulate(good, np.random.default_rng(7), kind, [donor]) for _ in range(2))
    assert np.array_equal(first.image, second.image) and np.array_equal(first.mask, second.mask)
    other = simulate(good, np.random.default_rng(8), kind, [donor])
    assert not np.array_equal(first.image, other.image)
    assert np.array_equal(good, before[0]) and np.array_equal(donor, before[1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_defect_lies_on_the_object(kind: str) -> None:
    near = cv2.dilate(part_outline(), np.ones((15, 15), np.uint8)) > 0
    for seed in range(6):
        defect = simulate(part(), np.random.default_rng(seed), kind)
        assert not (defect.mask[~near]).any()


@pytest.mark.parametrize("kind", KINDS)
def test_size_and_contrast_follow_what_was_asked_for(kind: str) -> None:
    good = sheet(256, 256)

    def median(size: float, contrast: float) -> tuple[float, float]:
        drawn = [simulate(good, np.random.default_rng(s), kind, [], size, contrast) for s in range(9)]
        return float(np.median([d.size_fraction for d in drawn])), float(
            np.median([d.contrast for d in drawn])
        )

    small, faint = median(0.002, 10)
    large, strong = median(0.05, 30)
    assert 0.001 < small < 0.006 and 0.02 < large < 0.09
    assert 6 < faint < 15 and 18 < strong < 40


@pytest.mark.parametrize("kind", KINDS)
def test_a_grey_product_stays_grey_in_a_colour_image(kind: str) -> None:
    defect = simulate(as_colour(sheet()), np.random.default_rng(3), kind)
    assert not np.ptp(defect.image, axis=2).any()


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("shape", [(64, 64), (64, 80, 3)])
def test_an_evenly_coloured_image_gets_defects_too(shape: tuple[int, ...], level: int) -> None:
    good = np.full(shape, level, np.uint8)
    for defect in simulate_many([good], 2 * len(KINDS), seed=0):
        assert_true_to(good, defect)


def test_a_patch_of_an_evenly_coloured_image_is_an_error_and_not_an_endless_search() -> None:
    with pytest.raises(FrameError, match="blended_patch changes nothing") as caught:
        simulate(np.full((64, 64), 128, np.uint8), np.random.default_rng(0), "blended_patch")
    assert "another kind" in caught.value.remedy


def test_many_defects_cover_kinds_images_sizes_and_contrasts_evenly() -> None:
    goods = [sheet(seed=0), sheet(96, 160, seed=1), as_colour(sheet(seed=2))]
    defects = simulate_many(goods, 6 * len(KINDS), seed=5)
    assert set(Counter(defect.kind for defect in defects).values()) == {6}
    sources = Counter(defect.source for defect in defects)
    assert set(sources) == {0, 1, 2} and max(sources.values()) - min(sources.values()) <= len(KINDS)
    for defect in defects:
        assert_true_to(goods[defect.source], defect)
    for limits, values in (
        (SIZES, [defect.size_fraction for defect in defects]),
        (CONTRASTS, [defect.contrast for defect in defects]),
    ):
        thirds = np.geomspace(*limits, 4)
        counts, _ = np.histogram(np.clip(values, *limits), thirds)
        assert counts.min() > len(defects) / 8


def test_many_defects_depend_on_the_seed_and_a_longer_list_begins_with_the_shorter() -> None:
    goods = [part(), part(150, 190)]
    short, long = simulate_many(goods, 8, seed=1), simulate_many(goods, 20, seed=1)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(short, long, strict=False))
    other = simulate_many(goods, 8, seed=2)
    assert not any(np.array_equal(a.image, b.image) for a, b in zip(short, other, strict=True))
    assert simulate_many(goods, 0, seed=1) == []


def test_patches_come_from_donors() -> None:
    good, donor = np.full((96, 96, 3), 128, np.uint8), as_colour(sheet(200, 90))
    defect = simulate(good, np.random.default_rng(0), "blended_patch", [donor], size=0.05)
    assert_true_to(good, defect)


BAD = [
    (np.zeros((64, 64), np.float32), "float32"),  # not the camera's pixels
    (np.zeros((64, 64, 4), np.uint8), "(64, 64, 4)"),  # an alpha channel
    (np.zeros((64,), np.uint8), "(64,)"),
    (np.zeros((8, 64), np.uint8), "64x8 px"),  # too small to hold anything
]


@pytest.mark.parametrize(("image", "says"), BAD)
def test_an_unsuitable_image_or_donor_is_refused(image: Image, says: str) -> None:
    rng = np.random.default_rng(0)
    for attempt in (
        lambda: simulate(image, rng),
        lambda: simulate(sheet(), rng, donors=[image]),
        lambda: simulate_many([sheet(), image], 4, 0),
    ):
        with pytest.raises(FrameError) as caught:
            attempt()
        assert says in caught.value.message and caught.value.remedy


def test_an_unknown_kind_and_no_image_are_refused() -> None:
    with pytest.raises(FrameError, match="no kind of defect 'dent'") as caught:
        simulate(sheet(), np.random.default_rng(0), "dent")
    assert "scratch" in caught.value.remedy
    with pytest.raises(FrameError, match="no image"):
        simulate_many([], 4, 0)


@given(
    height=st.integers(16, 150),
    width=st.integers(16, 150),
    colour=st.booleans(),
    kind=st.sampled_from(sorted(KINDS)),
    size=st.floats(1e-5, 0.5),
    contrast=st.floats(1, 255),
    seed=st.integers(0, 2**32),
)
@settings(deadline=None, max_examples=120)
def test_no_size_shape_or_contrast_breaks_it(
    height: int, width: int, colour: bool, kind: str, size: float, contrast: float, seed: int
) -> None:
    good = as_colour(sheet(height, width, seed)) if colour else sheet(height, width, seed)
    try:
        defect = simulate(good, np.random.default_rng(seed), kind, size=size, contrast=contrast)
    except FrameError as error:
        assert "changes nothing" in error.message
    else:
        assert_true_to(good, defect)
