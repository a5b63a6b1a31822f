"""Rendered parts: the same on every call, different from each other, defects where there should be one."""

from __future__ import annotations

import numpy as np

from models.data.rendered import SIDE, calibration_images, rendered_products


def test_the_same_part_is_the_same_picture() -> None:
    for product in rendered_products(6):
        assert np.array_equal(product.good(3), product.good(3))
        assert np.array_equal(product.defective(3), product.defective(3))


def test_parts_of_a_product_differ_a_little_and_a_defect_changes_one_place() -> None:
    for product in rendered_products(6):
        good, other, bad = (product.good(1), product.good(2), product.defective(1))
        assert not np.array_equal(good, other)
        changed = np.abs(good.astype(int) - bad.astype(int)) > 12
        assert 0 < changed.mean() < 0.1


def test_products_alternate_in_kind_and_colour() -> None:
    products = rendered_products(12)
    assert len({p.kind for p in products}) == 6
    assert {(p.kind, p.colour) for p in products} == {(p.kind, c) for p in products for c in (True, False)}
    for product in products:
        assert product.good(0).shape == ((SIDE, SIDE, 3) if product.colour else (SIDE, SIDE))


def test_calibration_images_are_all_different() -> None:
    images = calibration_images(24)
    assert len({image.tobytes() for image in images}) == 24
