from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edge.vision.simulate import KINDS
from models.commands.preview import command
from models.data.preview import contact_sheet
from tests.edge.vision.simulate.parts import part, sheet
from tests.models.pictures import read


@pytest.fixture
def goods(tmp_path: Path) -> Path:
    """A folder with a colour image, a grey image and something that is no image."""
    folder = tmp_path / "good"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), part())
    cv2.imwrite(str(folder / "b.png"), sheet())
    (folder / "notes.txt").write_text("not an image")
    return folder


@pytest.mark.parametrize("source", [".", "a.png", "b.png"])
def test_a_contact_sheet_of_an_image_or_a_folder_is_written(goods: Path, source: str, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    options = ["--out", str(out), "--columns", "2", "--tile", "64"]
    result = CliRunner().invoke(command, [str(goods / source), *options])
    assert result.exit_code == 0, result.output
    assert read(out).shape == (len(KINDS) * (64 + 16), 2 * 2 * 64, 3)
    assert [file.name for file in tmp_path.glob("sheet*")] == ["sheet.png"]


def test_the_outline_is_drawn_on_the_second_picture_only() -> None:
    cells = contact_sheet([sheet()], columns=1, seed=0, tile_px=128)[:128]
    red = (cells == (0, 0, 255)).all(axis=2)
    assert not red[:, :128].any() and red[:, 128:].any()


def test_the_same_seed_gives_the_same_sheet() -> None:
    one, two = (contact_sheet([part(), sheet()], columns=2, seed=3, tile_px=64) for _ in range(2))
    assert np.array_equal(one, two)


def test_what_cannot_be_read_is_one_clear_line(goods: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (goods / "a.png").write_bytes(b"")
    for source, says in ((empty, "There is no image"), (goods, "a.png"), (goods / "notes.txt", "notes.txt")):
        result = CliRunner().invoke(command, [str(source), "--out", str(tmp_path / "x.png")])
        assert result.exit_code == 1 and says in result.output
        assert "Traceback" not in result.output and not (tmp_path / "x.png").exists()


def test_an_unwritable_place_is_one_clear_line(goods: Path, tmp_path: Path) -> None:
    out = tmp_path / "missing" / "x.png"
    result = CliRunner().invoke(command, [str(goods), "--out", str(out), "--columns", "1", "--tile", "64"])
    assert result.exit_code == 1 and "Cannot write" in result.output
