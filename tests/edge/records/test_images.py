"""An image file is whole under its name, or not there at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import RecordsError
from edge.records.images import newest_day_folders, remove, write_image
from tests.edge.records.parts import picture, read


@pytest.mark.parametrize(
    "image", [picture(), picture()[..., 1], picture(1, 1)], ids=["colour", "grey", "dot"]
)
def test_a_png_is_what_was_written(tmp_path: Path, image: np.ndarray) -> None:
    path = tmp_path / "new/folder/part.png"
    assert write_image(path, image) == path.stat().st_size
    assert np.array_equal(read(path, cv2.IMREAD_UNCHANGED), image)


def test_a_jpeg_is_near_to_what_was_written(tmp_path: Path) -> None:
    smooth = np.tile(np.linspace(0, 255, 256).astype(np.uint8), (64, 1))
    write_image(tmp_path / "part.JPG", smooth)
    kept = read(tmp_path / "part.JPG", cv2.IMREAD_UNCHANGED)
    assert np.abs(kept.astype(int) - smooth).max() <= 4


def test_an_older_file_of_that_name_is_replaced(tmp_path: Path) -> None:
    write_image(tmp_path / "part.png", picture(seed=1))
    write_image(tmp_path / "part.png", picture(seed=2))
    assert np.array_equal(read(tmp_path / "part.png"), picture(seed=2))
    assert [path.name for path in tmp_path.iterdir()] == ["part.png"]


@pytest.mark.parametrize(
    ("name", "image", "says"),
    [
        ("part.jpg", np.zeros((0, 5, 3), np.uint8), "cannot be written as .jpg"),
        ("part.jpg", np.zeros((2, 70_000), np.uint8), "cannot be written as .jpg"),
        ("part.xyz", picture(), "cannot be written as .xyz"),
        ("file/part.png", picture(), "Not a directory|File exists"),
    ],
)
def test_what_cannot_be_written_is_named_and_leaves_nothing(
    tmp_path: Path, name: str, image: np.ndarray, says: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordsError, match=says):
        write_image(tmp_path / name, image)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_failed_write_leaves_an_empty_folder_of_the_user_alone(tmp_path: Path) -> None:
    (tmp_path / "mine/part.png").mkdir(parents=True)
    with pytest.raises(RecordsError, match="Is a directory"):
        write_image(tmp_path / "mine/part.png", picture())
    assert (tmp_path / "mine/part.png").is_dir()


def test_removing_takes_the_emptied_folder_and_no_other(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png", "b/2.png"):
        write_image(tmp_path / name, picture(4, 4))
    remove([tmp_path / "a/1.png", tmp_path / "b/1.png", tmp_path / "b/gone already.png"])
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == ["b", "b/2.png"]


def test_what_cannot_be_removed_is_named(tmp_path: Path) -> None:
    (tmp_path / "part.png").mkdir()
    with pytest.raises(RecordsError, match=r"cannot be deleted: .*part\.png"):
        remove([tmp_path / "part.png"])


def test_the_newest_day_folders_are_the_last_by_name(tmp_path: Path) -> None:
    assert newest_day_folders(tmp_path / "images") == []
    for day in ("2026-11-02", "2026-10-31", "2025-12-31"):
        (tmp_path / day).mkdir()
    (tmp_path / "a file").touch()
    assert [folder.name for folder in newest_day_folders(tmp_path)] == ["2026-10-31", "2026-11-02"]
