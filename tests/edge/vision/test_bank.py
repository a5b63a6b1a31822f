"""A thinned bank keeps every kind of place that it was made from."""

from __future__ import annotations

import numpy as np

from edge.vision.bank import coreset


def directions(count: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, 32)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def test_a_bank_that_fits_is_kept_whole() -> None:
    np.testing.assert_array_equal(coreset(directions(40), 64, 0), np.arange(40))


def test_the_rare_place_is_kept() -> None:
    """990 patches alike and ten of their own kind: chance would lose most of the ten."""
    rng = np.random.default_rng(1)
    common = directions(1)[0] + rng.normal(scale=0.02, size=(990, 32))
    features = np.concatenate([common, directions(10, seed=2)]).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    assert set(range(990, 1000)) <= set(coreset(features, 30, 0).tolist())


def test_it_leaves_no_feature_farther_than_chance_would() -> None:
    features = directions(600)
    kept = features[coreset(features, 60, 0)]
    chance = features[np.random.default_rng(0).permutation(600)[:60]]
    assert (features @ kept.T).max(1).min() > (features @ chance.T).max(1).min()


def test_the_same_seed_chooses_the_same() -> None:
    features = directions(300)
    np.testing.assert_array_equal(coreset(features, 50, 3), coreset(features, 50, 3))
    assert len(set(coreset(features, 50, 3).tolist())) == 50
