"""The demo shows the main job on anybody's images, and ends cleanly whenever it is told to."""

from __future__ import annotations

import os
import re
import signal
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from edge.bundle import Bundle
from edge.cameras import read_image
from edge.cameras.aravis_fake import FakeGigECamera
from edge.records import History
from tests.edge.commands.conftest import Command
from tests.edge.parts import good_part, write_parts

pytest.importorskip("iotcore", reason="the embedded broker is in the extra `demo`")


def mvtec(folder: Path) -> Path:
    """A dataset of drawn plates in MVTec's layout."""
    write_parts(folder / "train" / "good", good=4)
    write_parts(folder / "test" / "good", good=3)
    write_parts(folder / "test" / "stain", good=0, stained=3)
    return folder


def test_a_dataset_is_learned_inspected_published_and_compared(
    command: Command, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    images, data = mvtec(tmp_path / "plates"), tmp_path / "demo"
    done = command("demo", "--images", images, "--data-dir", data, "--bundle", tiny_bundle.path)
    assert done.code == 0, done.err
    assert "learned from 4 good parts" in done.out
    assert "by the calibrated score alone" in done.out, "the tiny bundle has no language half"
    assert "all 6 verdicts arrived on demo/line1/demo-cell/result" in done.out
    assert re.search(r"labelled defective +0 +3", done.out)
    assert "AUROC of the score 100.0%" in done.out
    assert len(re.findall(r"^ +\d  (good|stain)-part-00\d", done.out, re.MULTILINE)) == 6, "plain lines"
    assert "\x1b" not in done.out
    assert read_image(data / "contact-sheet.png").shape[2] == 3
    assert History(data).counters().total == 6
    # What it tells to try next works.
    assert command("check", data / "station.yaml").code == 0
    assert command("records", "--data-dir", data, "--verdict", "ng").out.count(" NG ") == 3
    told = re.search(r"anomalygpt-edge (inspect .*)|-m edge (inspect .*)", done.out)
    assert told is not None
    again = [*(told[1] or told[2]).split(), "--bundle", str(tiny_bundle.path)]
    again[again.index("--overlay") + 1] = str(tmp_path / "pictures")
    assert command(*again).out.startswith("NG")
    assert "3 NG" in command("run", data / "station.yaml").out


def test_the_language_model_decides_speaks_and_answers(
    command: Command, tmp_path: Path, speaking_bundle: Bundle
) -> None:
    images, data = mvtec(tmp_path / "plates"), tmp_path / "demo"
    options = ["--data-dir", data, "--bundle", speaking_bundle.path, "--rate", 1]
    done = command("demo", "--images", images, *options)
    assert done.code == 0, done.err
    assert "by the language model" in done.out
    assert re.search(r"labelled defective +0 +3", done.out)
    assert "3 of 3 alarms were put into words" in done.out
    assert len(re.findall(r"^ +\d  stain-part-00\d +Yes", done.out, re.MULTILINE)) == 3
    _, dialogue = done.out.split("a dialogue about stain-part-")
    assert dialogue.count("  you ") == 3
    assert dialogue.count("  station  ") == 4
    assert "decided_by: language" in (data / "station.yaml").read_text()


def test_parts_come_as_fast_as_they_are_judged_and_none_waits(
    command: Command, tmp_path: Path, speaking_bundle: Bundle
) -> None:
    images, data = mvtec(tmp_path / "plates"), tmp_path / "demo"
    options = ["--data-dir", data, "--bundle", speaking_bundle.path, "--rate", 1000]  # far beyond any machine
    done = command("demo", "--images", images, *options)
    assert done.code == 0, done.err
    assert "6 parts, each when the one before is judged" in done.out
    inspections = [record.inspection for record in History(data).query()]
    assert len(inspections) == 6
    took = statistics.median(one.took_ms or 0 for one in inspections)
    waited = statistics.median(one.waited_ms for one in inspections)
    assert waited < took / 4
    # What a part took and how long it waited stand side by side, and add up.
    rows = re.findall(r"^ +\d  \S+ +(?:OK|NG)\S* +\S+ +(\d+) ms  waited +(\d+) ms", done.out, re.MULTILINE)
    shown = sorted((int(took_ms), int(waited_ms)) for took_ms, waited_ms in rows)
    assert shown == sorted((round(one.took_ms or 0), round(one.waited_ms)) for one in inspections)
    assert re.search(
        r"6 parts: .* ms a part \(min / mean / max\), waited \d+ / \d+ ms .*; [\d.]+ parts a second", done.out
    )


@pytest.mark.usefixtures("no_llama_cpp")
def test_it_goes_on_without_the_language_model_and_says_why(
    command: Command, tmp_path: Path, speaking_bundle: Bundle
) -> None:
    images, data = mvtec(tmp_path / "plates"), tmp_path / "demo"
    done = command("demo", "--images", images, "--data-dir", data, "--bundle", speaking_bundle.path)
    assert done.code == 0, done.err
    assert re.search(r"labelled defective +0 +3", done.out)
    assert "all 6 verdicts arrived" in done.out
    assert "it gave no verdict on 6 of 6 parts; there the calibrated score decided" in done.out
    assert "llama-cpp-python is not installed" in done.out and "make setup" in done.out
    assert all(record.inspection.review for record in History(data).query())


def test_a_plain_folder_has_no_labels_to_compare_with(
    command: Command, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    write_parts(tmp_path / "my parts", good=6, stained=1)
    options = ["--data-dir", tmp_path / "demo", "--bundle", tiny_bundle.path, "--parts", 2, "--rate", 50]
    done = command("demo", "--images", tmp_path / "my parts", *options)
    assert done.code == 0, done.err
    assert "the first 4 by name are taken as good parts" in done.out
    assert "all 2 verdicts arrived" in done.out
    assert "no labels are known" in done.out


@pytest.mark.parametrize(
    ("good", "said"), [(0, "There is no image in"), (4, "none is left to inspect"), (None, "is not a folder")]
)
def test_a_folder_without_enough_says_so(
    command: Command, tmp_path: Path, tiny_bundle: Bundle, good: int | None, said: str
) -> None:
    if good is not None:
        write_parts(tmp_path / "parts", good=good)
    done = command(
        "demo", "--images", tmp_path / "parts", "--data-dir", tmp_path / "demo", "--bundle", tiny_bundle.path
    )
    assert done.code == 1
    assert said in done.err


def test_ctrl_c_sums_up_what_was_inspected(tmp_path: Path, tiny_bundle: Bundle) -> None:
    write_parts(tmp_path / "parts", good=40)
    options = ["--data-dir", str(tmp_path / "demo"), "--bundle", str(tiny_bundle.path), "--rate", "4"]
    process = subprocess.Popen(
        [sys.executable, "-m", "edge", "demo", "--images", str(tmp_path / "parts"), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("    2  part-005"):
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    count = History(tmp_path / "demo").counters().total
    assert 2 <= count < 36
    assert f"all {count} verdicts arrived" in out
    assert "try next" in out


@pytest.mark.netns
@pytest.mark.usefixtures("network")
def test_the_parts_come_through_a_gige_camera_that_is_triggered_over_mqtt(
    command: Command, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    images, data = mvtec(tmp_path / "plates"), tmp_path / "demo"
    options = ["--images", images, "--data-dir", data, "--bundle", tiny_bundle.path]
    done = command("demo", *options, "--camera", "gige")
    assert done.code == 0, done.err + done.out
    assert "GigE Vision on 127.0.0.1: triggered over MQTT for 6 parts" in done.out
    assert "all 6 verdicts arrived on demo/line1/demo-cell/result" in done.out
    through_gige = scores(data)
    assert set(through_gige) == {file.stem for file in (data / "parts").iterdir()}
    # The very same pixels: the very same scores as from the folder.
    assert command("demo", *options).code == 0
    assert scores(data) == through_gige


def scores(data: Path) -> dict[str, float | None]:
    """The newest score of each part."""
    newest_last = sorted((r.inspection for r in History(data).query()), key=lambda one: one.seq)
    return {one.part_id: one.score for one in newest_last}


@pytest.mark.netns
@pytest.mark.usefixtures("network")
def test_a_port_that_is_taken_is_said_before_anything_runs(
    command: Command, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    images = mvtec(tmp_path / "plates")
    options = ["--images", images, "--data-dir", tmp_path / "demo", "--bundle", tiny_bundle.path]
    with FakeGigECamera("127.0.0.1", "OTHER", good_part):
        done = command("demo", *options, "--camera", "gige")
    assert done.code == 1
    assert "UDP port 3956: Address already in use" in done.err
