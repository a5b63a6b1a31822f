"""Folders of good parts as products to train on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import DatasetError, FrameError
from models.data.folder_products import folder_products


def folder(path: Path, count: int) -> Path:
    path.mkdir(parents=True)
    for number in range(count):
        cv2.imwrite(str(path / f"{number:02}.png"), np.full((40, 50), 10 * number, np.uint8))
    (path / "notes.txt").write_text("no image")
    return path


def test_a_folder_is_a_product_and_its_images_are_its_parts_in_the_order_of_names(tmp_path: Path) -> None:
    (product,) = folder_products([folder(tmp_path / "steel_plate", 5)])
    assert (product.name, product.description) == ("steel_plate", "a steel plate")
    assert [int(product.good(part)[0, 0]) for part in (0, 1, 4)] == [0, 10, 40]
    assert np.array_equal(product.good(5), product.good(0)), "again and again"


def test_of_the_mvtec_layout_only_the_good_training_parts_are_taken(tmp_path: Path) -> None:
    folder(tmp_path / "bottle" / "train" / "good", 4)
    folder(tmp_path / "bottle" / "test" / "broken", 9)
    (product,) = folder_products([tmp_path / "bottle"])
    assert product.name == "bottle"
    assert np.array_equal(product.good(4), product.good(0))


@pytest.mark.parametrize("count", [0, 3])
def test_a_folder_with_too_few_images_is_refused(tmp_path: Path, count: int) -> None:
    few = folder(tmp_path / "few", count)
    with pytest.raises(DatasetError, match=f"few has {count} images") as caught:
        folder_products([folder(tmp_path / "enough", 4), few])
    assert "one product" in caught.value.remedy


def test_a_file_that_is_no_image_is_named_when_it_is_read(tmp_path: Path) -> None:
    place = folder(tmp_path / "plate", 4)
    (place / "01.png").write_bytes(b"cut short")
    (product,) = folder_products([place])
    with pytest.raises(FrameError, match=r"01\.png"):
        product.good(1)
