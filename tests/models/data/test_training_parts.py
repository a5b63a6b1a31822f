"""Parts to train on: what the mask says is anomalous is, and chance comes from the seed alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import pytest

from models.data.rendered import rendered_products
from models.data.training_parts import anomalous_part, good_part


@dataclass(frozen=True)
class Plain:
    """A product of one even colour."""

    name: str = "plain"
    description: str = "a plain plate"

    def good(self, part: int) -> np.ndarray:
        return np.full((64, 64), 90 + part % 7, np.uint8)


@dataclass(frozen=True)
class Small:
    """A rendered product, photographed small."""

    number: int

    @property
    def name(self) -> str:
        return f"small {self.number}"

    description = "a small part"

    def good(self, part: int) -> np.ndarray:
        return rendered(self.number, part)


@cache
def rendered(product: int, part: int) -> np.ndarray:
    return cv2.resize(rendered_products(4, seed=5)[product].good(part), (160, 160))


PRODUCTS = [Small(number) for number in range(4)]


@pytest.mark.parametrize("product", [*PRODUCTS, Plain()], ids=lambda p: p.name)
def test_a_good_part_has_nothing_in_its_mask(product: Small | Plain) -> None:
    part = good_part(product, 3)
    assert not part.anomalous
    assert part.mask.shape == part.image.shape[:2]
    assert np.array_equal(part.image, product.good(3))


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda p: p.name)
def test_an_anomalous_part_is_the_good_one_but_for_what_its_mask_covers(product: Small) -> None:
    for seed in range(4):
        part = anomalous_part(product, 3, np.random.default_rng(seed))
        assert part.anomalous and part.image.shape == product.good(3).shape
        assert set(np.unique(part.mask)) == {0, 255}
        moved = np.abs(part.image.astype(int) - product.good(3)).reshape(*part.mask.shape, -1).max(axis=2)
        outside = cv2.dilate(part.mask, np.ones((9, 9))) == 0
        assert moved[part.mask > 0].mean() > 5
        assert moved[outside].mean() < 0.2 * moved[part.mask > 0].mean()


def test_the_same_seed_gives_the_same_part_and_another_one_another() -> None:
    one, same, other = (anomalous_part(PRODUCTS[0], 3, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one.image, same.image) and np.array_equal(one.mask, same.mask)
    assert not np.array_equal(one.mask, other.mask)


def test_some_parts_have_more_than_one_anomaly() -> None:
    pieces = []
    for seed in range(20):
        mask = anomalous_part(PRODUCTS[seed % 4], 3, np.random.default_rng(seed)).mask
        near = cv2.dilate(mask, np.ones((15, 15)))
        pieces.append(cv2.connectedComponents(near)[0] - 1)
    assert min(pieces) >= 1 and max(pieces) >= 2


def test_an_evenly_coloured_product_is_no_obstacle() -> None:
    for seed in range(10):
        part = anomalous_part(Plain(), seed, np.random.default_rng(seed))
        assert part.image.dtype == np.uint8 and part.image.shape == (64, 64)
