"""``inspect`` says the same of the same image, and something of every image."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.cameras import read_image
from tests.edge.commands.conftest import Command
from tests.edge.parts import write_parts

CHANGING = ("id", "seq", "captured_at", "latency_ms")


def test_a_hundred_times_the_same_image_gives_one_answer(
    command: Command, on_plate: list[object], tmp_path: Path
) -> None:
    image = write_parts(tmp_path / "parts", good=1, stained=1)[1]
    done = command("inspect", *on_plate, "--json", *[image] * 100)
    assert (done.code, done.err) == (0, "")
    inspections = [json.loads(line) for line in done.out.splitlines()]
    assert len(inspections) == 100
    assert len({inspection["id"] for inspection in inspections}) == 100
    for inspection in inspections:
        for name in CHANGING:
            del inspection[name]
    assert all(inspection == inspections[0] for inspection in inspections)
    assert inspections[0]["verdict"] == "ng"
    assert inspections[0]["location"]


def test_the_language_model_decides_and_says_what_it_sees(
    command: Command, on_speaking_plate: list[object], tmp_path: Path
) -> None:
    parts = write_parts(tmp_path / "parts", good=1, stained=1)
    good, stained = map(json.loads, command("inspect", *on_speaking_plate, "--json", *parts).out.splitlines())
    assert (good["verdict"], good["words"]) == ("ok", "")
    assert stained["verdict"] == "ng"
    assert stained["words"].startswith("Yes")
    assert good["latency_ms"]["language"] > 0

    done = command("inspect", *on_speaking_plate, "--decided-by", "either", *parts)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1].strip() == stained["words"], "the same words each time"


@pytest.mark.usefixtures("no_llama_cpp")
def test_without_its_language_model_the_score_decides_and_one_warning_says_why(
    command: Command, on_speaking_plate: list[object], tmp_path: Path
) -> None:
    parts = write_parts(tmp_path / "parts", good=1, stained=2)
    done = command("inspect", *on_speaking_plate, "--json", *parts)
    inspections = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0
    assert [(one["verdict"], one["review"], one["words"]) for one in inspections] == [
        ("ok", True, ""),
        ("ng", True, ""),
        ("ng", True, ""),
    ]
    (warning,) = done.err.splitlines()
    assert warning.startswith("warning: the calibrated score decides: llama-cpp-python is not installed")
    assert "make setup" in warning
    rows = command("inspect", *on_speaking_plate, *parts).out.splitlines()
    assert all(row.endswith("(look at it: the language model gave no verdict)") for row in rows)


def test_a_bundle_that_only_sees_says_how_to_inspect_with_it(
    command: Command, on_plate: list[object], tmp_path: Path
) -> None:
    image = write_parts(tmp_path / "parts", good=1)[0]
    done = command("inspect", *on_plate, "--decided-by", "language", image)
    assert done.code == 1
    assert "no language half" in done.err and "--decided-by" in done.err


def test_a_bad_image_is_an_error_and_the_others_go_on(
    command: Command, on_plate: list[object], tmp_path: Path
) -> None:
    parts = tmp_path / "parts"
    write_parts(parts, good=2)
    (parts / "part-000a.png").write_bytes(b"")
    done = command("inspect", *on_plate, "--json", parts, tmp_path / "nowhere.png")
    assert done.code == 3
    assert done.err == "2 of 4 images could not be inspected\n"
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert [answer["verdict"] == "error" for answer in answers] == [False, True, False, True]
    assert [answer["part_id"] for answer in answers] == ["part-000", "part-000a", "part-001", "nowhere"]
    assert "empty" in answers[1]["error"] and "exist" in answers[3]["error"]


def test_the_table_has_a_row_for_every_image(
    command: Command, on_plate: list[object], tmp_path: Path
) -> None:
    paths = write_parts(tmp_path / "parts", good=1, stained=1)
    (tmp_path / "parts" / "zero.png").write_bytes(b"")
    rows = command("inspect", *on_plate, tmp_path / "parts").out.splitlines()
    assert [row.split()[1] for row in rows] == [*(path.stem for path in paths), "zero"]
    assert rows[1].startswith("NG ") and rows[2].startswith("ERROR ")


def test_the_overlay_shows_the_stain(command: Command, on_plate: list[object], tmp_path: Path) -> None:
    image = write_parts(tmp_path / "parts", good=0, stained=1)[0]
    done = command("inspect", *on_plate, "--json", "--overlay", tmp_path / "seen", image)
    region = json.loads(done.out)["regions"][0]
    overlay = read_image(tmp_path / "seen" / "part-000.png")
    scale = overlay.shape[1] / 128
    # Halfway down the region, its box's sides are the outermost white pixels.
    row = overlay[round((region["y"] + region["height"] / 2) * scale)]
    columns = np.nonzero((row == 255).all(axis=-1))[0] / scale
    assert columns.min() == pytest.approx(region["x"], abs=2)
    assert columns.max() == pytest.approx(region["x"] + region["width"], abs=2)


def test_files_of_one_name_keep_apart(command: Command, on_plate: list[object], tmp_path: Path) -> None:
    images = [write_parts(tmp_path / name, good=1)[0] for name in ("morning", "evening")]
    done = command("inspect", *on_plate, "--json", "--overlay", tmp_path / "seen", *images)
    ids = [json.loads(line)["part_id"] for line in done.out.splitlines()]
    assert ids == ["morning/part-000", "evening/part-000"]
    assert len(list((tmp_path / "seen").iterdir())) == 2


@pytest.mark.parametrize("size", [(5208, 7680), (40, 40)])
def test_any_size_is_taken(
    command: Command, on_plate: list[object], tmp_path: Path, size: tuple[int, int]
) -> None:
    image = cv2.resize(read_image(write_parts(tmp_path / "parts", good=1)[0]), size[::-1])
    cv2.imwrite(str(tmp_path / "sized.jpg"), image)
    assert command("inspect", *on_plate, tmp_path / "sized.jpg").code == 0


def test_an_empty_folder_is_no_success(command: Command, on_plate: list[object], tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    done = command("inspect", *on_plate, tmp_path / "nothing")
    assert done.code == 1
    assert "no image in the folder" in done.err
