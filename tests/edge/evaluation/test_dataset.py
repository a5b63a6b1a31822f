"""A dataset is read as it lies, or refused with what is wrong and what to do."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import DatasetError
from edge.evaluation.dataset import find_categories, read_mask

SIZE = (48, 64)


def write(path: Path, value: int = 128, shape: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full(shape, value, np.uint8))


def write_mask(path: Path, value: int = 255, shape: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = np.zeros(shape, np.uint8)
    mask[10:20, 30:40] = value
    cv2.imwrite(str(path), mask)


@pytest.fixture
def nut(tmp_path: Path) -> Path:
    """A category: 5 images to learn from, 4 good parts, 2 kinds of defects, one part without mask."""
    folder = tmp_path / "data" / "nut"
    for number in range(5):
        write(folder / f"train/good/{number}.png", 100 + number)
    for number in range(4):
        write(folder / f"test/good/{number}.png")
    for number in range(3):
        write(folder / f"test/crack/{number}.png")
        write(folder / f"test/bent/{number}.png")
    for name in ("crack/0_mask", "crack/1_mask", "crack/2_mask", "bent/0", "bent/1"):
        write_mask(folder / f"ground_truth/{name}.png")
    return folder


def test_a_category_names_its_parts_kinds_and_masks(nut: Path) -> None:
    (category,) = find_categories([nut])
    assert category.name == "nut"
    assert [path.name for path in category.train] == [f"{n}.png" for n in range(5)]
    kinds = [(part.kind, part.defective, part.mask is not None) for part in category.test]
    assert kinds == [
        ("bent", True, True),
        ("bent", True, True),
        ("bent", True, False),
        *[("crack", True, True)] * 3,
        *[("good", False, False)] * 4,
    ]


def test_a_folder_of_categories_gives_each_in_order(nut: Path) -> None:
    shutil.copytree(nut, nut.parent / "bolt")
    (nut.parent / "notes").mkdir()
    assert [category.name for category in find_categories([nut.parent])] == ["bolt", "nut"]


def test_references_are_the_samples_that_the_seed_draws(nut: Path) -> None:
    (category,) = find_categories([nut])
    expected = random.Random(3).sample(sorted((nut / "train/good").iterdir()), 2)
    assert category.references(2, seed=3) == expected


def test_files_that_are_no_images_are_left_out(nut: Path) -> None:
    (nut / "train/good/license.txt").write_text("free")
    (nut / "train/good/.hidden.png").write_bytes(b"")
    (nut / "test/good/Thumbs.db").write_bytes(b"")
    (category,) = find_categories([nut])
    assert (len(category.train), len(category.test)) == (5, 10)


@pytest.mark.parametrize(
    ("limit", "good", "defective"),
    [
        (4, 2, 2),
        (5, 2, 3),
        (1, 0, 1),
        (10, 4, 6),
        (99, 4, 6),  # there are no more
        (9, 4, 5),  # all the good parts, and as many others as fit
    ],
)
def test_a_limit_keeps_both_kinds_of_parts(nut: Path, limit: int, good: int, defective: int) -> None:
    category = find_categories([nut])[0].limited(limit)
    assert sum(not part.defective for part in category.test) == good
    assert sum(part.defective for part in category.test) == defective


def test_a_limit_is_spread_over_the_kinds_of_defects(nut: Path) -> None:
    category = find_categories([nut])[0].limited(4)
    assert [part.kind for part in category.test] == ["bent", "crack", "good", "good"]


@pytest.mark.parametrize("value", [1, 255], ids=["0/1", "0/255"])
def test_a_mask_marks_its_bright_pixels(nut: Path, value: int) -> None:
    write_mask(nut / "ground_truth/bent/0.png", value)
    (category,) = find_categories([nut])
    mask = read_mask(category.test[0], SIZE)
    assert mask is not None and mask.sum() == 100
    assert mask[10:20, 30:40].all()


def test_a_one_bit_mask_reads_like_any_other(nut: Path) -> None:
    path = nut / "ground_truth/bent/0.png"
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert grey is not None and cv2.imwrite(str(path), grey, [cv2.IMWRITE_PNG_BILEVEL, 1])
    mask = read_mask(find_categories([nut])[0].test[0], SIZE)
    assert mask is not None and mask.sum() == 100


def test_a_good_part_has_no_defective_pixel_and_a_missing_mask_says_nothing(nut: Path) -> None:
    (category,) = find_categories([nut])
    good, without = category.test[-1], category.test[2]
    nowhere = read_mask(good, SIZE)
    assert nowhere is not None and nowhere.shape == SIZE and not nowhere.any()
    assert read_mask(without, SIZE) is None


def nothing_there(nut: Path) -> None:
    shutil.rmtree(nut)


def no_category(nut: Path) -> None:
    shutil.rmtree(nut / "train")


def no_references(nut: Path) -> None:
    shutil.rmtree(nut / "train/good")


def no_tests(nut: Path) -> None:
    shutil.rmtree(nut / "test")
    (nut / "test/good").mkdir(parents=True)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (nothing_there, "no such folder"),
        (no_category, "neither a category nor a folder of categories"),
        (no_references, "train/good has no images"),
        (no_tests, "test has no images"),
    ],
)
def test_a_folder_that_cannot_be_judged_is_refused(
    nut: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(nut)
    with pytest.raises(DatasetError, match=message) as caught:
        find_categories([nut])
    assert str(nut) in caught.value.message
    assert caught.value.remedy


def test_one_name_for_two_categories_is_refused(nut: Path, tmp_path: Path) -> None:
    shutil.copytree(nut, tmp_path / "other" / "nut")
    with pytest.raises(DatasetError, match="Two categories are called 'nut'"):
        find_categories([nut, tmp_path / "other"])


def test_more_shots_than_good_images_are_refused(nut: Path) -> None:
    (category,) = find_categories([nut])
    with pytest.raises(DatasetError, match="nut: 6 references are requested, but train/good has only 5"):
        category.references(6, seed=0)


def wrong_size(path: Path) -> None:
    write_mask(path, shape=(48, 60))


def blank(path: Path) -> None:
    write(path, 0)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (wrong_size, "the mask is 60×48, its image 0.png is 64×48"),
        (blank, "marks no pixel"),
        (truncated, "A mask cannot be used"),
    ],
)
def test_a_mask_that_cannot_be_right_is_refused(
    nut: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(nut / "ground_truth/bent/0.png")
    (category,) = find_categories([nut])
    with pytest.raises(DatasetError, match=message) as caught:
        read_mask(category.test[0], SIZE)
    assert "0.png" in caught.value.message
    assert caught.value.remedy


def test_a_description_is_read_as_one_line(nut: Path) -> None:
    assert find_categories([nut])[0].description == ""
    (nut / "description.txt").write_text("a hexagonal nut,\n  seen from above\n")
    assert find_categories([nut])[0].description == "a hexagonal nut, seen from above"
    (nut / "description.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DatasetError, match=r"description\.txt"):
        find_categories([nut])
