"""Products are enrolled, shown, taken back and deleted from the command line."""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import pytest

from edge.bundle import Bundle
from edge.cameras import read_image
from edge.station.products import Products
from edge.vision.view import View
from tests.edge.commands.conftest import Command
from tests.edge.parts import write_parts


def test_from_the_first_image_to_the_last_word(command: Command, tmp_path: Path, tiny_bundle: Bundle) -> None:
    parts = write_parts(tmp_path / "parts", good=4)
    at = ["--data-dir", tmp_path / "data"]
    plate = ["--product", "plate", "--bundle", tiny_bundle.path, *at]

    assert command("products", *at).out == ""
    done = command("enroll", *plate, "--description", "a plate", parts[0], parts[1])
    assert done.code == 0, done.err
    assert done.out.startswith("plate: version 1, 2 good parts of 128x96 px")
    assert "33.3%" in done.out, "two parts cannot promise less than one in three"

    done = command("enroll", *plate, "--add", tmp_path / "parts")
    assert "version 2, 4 good parts" in done.out
    listed = command("products", *at).out
    assert "plate" in listed and "a plate" in listed and tiny_bundle.id in listed

    assert "2 references" in command("products", *at, "undo", "plate").out
    shown = command("products", *at, "show", "plate").out
    assert "version 1" in shown and "in use" in shown and shown.count(".png") == 2

    again = command("enroll", *plate)
    assert "version 3, 2 good parts" in again.out

    assert command("products", *at, "delete", "plate", "--yes").code == 0
    assert command("products", *at, "show", "plate").code == 1


def test_a_region_is_learned_shown_kept_and_given_up(
    command: Command, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    parts = write_parts(tmp_path / "parts", good=3)
    at = ["--product", "plate", "--bundle", tiny_bundle.path, "--data-dir", tmp_path / "data"]
    seen = ["--roi", "30,10,70,80", "--ignore", "30,10,20,20", "--ignore", "90,80 99,80 99,89"]
    done = command("enroll", *at, *seen, *parts[:2])
    sheet = tmp_path / "data" / "products" / "plate" / "view.png"
    assert f"looked at   the box 30,10,70,80, 2 areas ignored: {sheet}" in done.out
    picture = cv2.imread(str(sheet))
    assert picture is not None and picture.shape[0] == 256

    def view() -> View:
        return Products(tmp_path / "data").view("plate")

    first = view()
    assert "version 2, 3 good parts" in command("enroll", *at, "--add", parts[2]).out
    assert view() == first, "kept without being asked for"
    assert "looked at   the whole image\n" in command("enroll", *at, "--roi", "none", "--ignore", "none").out
    assert view().is_whole

    refused = command("enroll", *at, "--roi", "100,10,70,80", parts[0])
    assert refused.code == 1 and "not within the references' 128x96 px" in refused.err
    assert view().is_whole, "nothing was enrolled"


def test_large_images_are_warned_of_until_a_detail_is_asked_for(
    command: Command, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    parts = []
    for path in write_parts(tmp_path / "parts", good=2):
        large = cv2.resize(read_image(path), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(path), large)
        parts.append(path)
    on = ["--product", "plate", "--bundle", tiny_bundle.path, "--data-dir", tmp_path / "data"]
    blind = command("enroll", *on, parts[0])
    assert "one look at each part; defects smaller than about" in blind.out and "--detail PX" in blind.out
    warned = command("inspect", *on, "--decided-by", "calibration", *parts)
    assert warned.err.count("warning: Images of 512x384 px are seen in 1 look of") == 1

    close = command("enroll", *on, "--detail", "21.4")
    assert "looked at   the whole image, in 3 x 4 tiles" in close.out and "12 looks at each part" in close.out
    assert "--detail PX" not in close.out
    quiet = command("inspect", *on, "--decided-by", "calibration", *parts)
    assert (quiet.code, quiet.err) == (0, "")


def test_a_description_that_no_prompt_has_room_for_is_refused_before_the_work(
    command: Command, tmp_path: Path
) -> None:
    at = ["--product", "plate", "--data-dir", tmp_path / "data"]
    done = command("enroll", *at, "--description", "round " * 34, tmp_path / "no-such-image.png")
    assert done.code == 1
    assert "204 characters" in done.err and "200" in done.err


@pytest.mark.usefixtures("on_plate")
def test_deleting_asks_first(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert command("products", "--data-dir", tmp_path / "data", "delete", "plate").code == 130
    assert command("products", "--data-dir", tmp_path / "data", "show", "plate").code == 0


@pytest.mark.parametrize("name", ["a part", "", "x/y"])
def test_a_name_that_cannot_be_one_is_refused_before_the_work(
    command: Command, tmp_path: Path, name: str
) -> None:
    done = command("enroll", "--product", name, "--data-dir", tmp_path, tmp_path / "no-such-image.png")
    assert done.code == 1
    assert "cannot be the name of a product" in done.err


def test_a_bad_reference_is_refused_and_nothing_is_enrolled(
    command: Command, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    parts = tmp_path / "parts"
    write_parts(parts, good=2)
    (parts / "part-000a.png").write_bytes(b"")
    at = ["--data-dir", tmp_path / "data"]
    done = command("enroll", "--product", "plate", "--bundle", tiny_bundle.path, *at, parts)
    assert done.code == 1
    assert "part-000a.png" in done.err
    assert command("products", *at).out == ""


def test_another_view_is_learned_used_shown_and_forgotten(
    command: Command, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    first, second = write_parts(tmp_path / "parts", good=2)
    at = ["--data-dir", tmp_path / "data"]
    cup = ["--product", "cup", "--bundle", tiny_bundle.path, *at]
    side = [*cup, "--view", "side"]
    early = command("enroll", *side, first)
    assert early.code == 1 and "There is no product 'cup'" in early.err
    assert command("enroll", *cup, "--description", "a cup", first, second).code == 0
    assert command("enroll", *side, "--description", "its side", first).code == 2
    assert "cup/side: version 1, 1 good part" in command("enroll", *side, first).out

    listed = command("products", *at).out.splitlines()
    assert [row.split()[0] for row in listed] == ["PRODUCT", "cup", "cup/side"]
    assert "cup/side  a cup" in command("products", *at, "show", "cup").out

    judged = command("inspect", *side, "--json", "--decided-by", "calibration", second)
    assert json.loads(judged.out)["references"] == 1
    of_main = command("inspect", *cup, "--decided-by", "calibration", second)
    assert "only the main view is looked at; cup has also: side" in of_main.err
    wrong = command("inspect", *cup, "--view", "top", second)
    assert wrong.code == 1 and "cup has no view 'top'. It has: main, side." in wrong.err

    assert "no earlier version" in command("products", *at, "undo", "cup", "--view", "side").err
    assert command("products", *at, "delete", "cup", "--view", "side", "--yes").code == 0
    assert [*Products(tmp_path / "data").views("cup")] == ["main"]
