"""``cameras`` shows what a person setting a camera up must know."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from edge.commands.cameras import command
from edge.errors import CameraError
from tests.edge.cameras.images import picture, save


@pytest.fixture
def station(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    save(tmp_path / "images" / "a.png", picture(1))
    save(tmp_path / "images" / "b.png", picture(2))
    path = tmp_path / "station.yaml"
    path.write_text(
        "station: {site: plant, line: l1, name: s1}\nproduct: bottle\ncamera: {kind: folder, path: images}\n"
    )
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), catch_exceptions=True)


def test_snap_writes_what_the_camera_sees(station: Path, tmp_path: Path) -> None:
    done = run("snap", str(station), str(tmp_path / "out.png"))
    assert done.exit_code == 0, done.exception
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "out.png")), picture(1))
    assert "64x48 px" in done.output


def test_tune_shows_a_line_for_each_picture_and_keeps_the_newest(station: Path, tmp_path: Path) -> None:
    done = run("tune", str(station), "--count", "2", "--png", str(tmp_path / "newest.png"))
    assert done.exit_code == 0, done.exception
    lines = done.output.splitlines()
    assert len(lines) == 2
    for word in ("sharpness", "mean", "dark", "saturated"):
        assert word in lines[0]
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "newest.png")), picture(2))


def test_of_several_cameras_one_must_be_chosen(station: Path) -> None:
    content = yaml.safe_load(station.read_text())
    one = content.pop("camera")
    cameras = [one | {"name": "top"}, one | {"name": "side"}]
    station.write_text(yaml.safe_dump(content | {"cameras": cameras}))
    assert "several cameras: top, side." in str(run("tune", str(station), "--count", "1").exception)
    assert "no camera below" in str(run("tune", str(station), "--camera", "below").exception)
    done = run("tune", str(station), "--camera", "side", "--count", "1")
    assert done.exit_code == 0, done.exception


def test_bench_counts_what_came(station: Path) -> None:
    done = run("bench", str(station), "--seconds", "0.2")
    assert done.exit_code == 0, done.exception
    assert "errors 0  missed 0  losses 0" in done.output


def test_field_says_what_one_image_may_cover() -> None:
    done = run("field", "--defect", "0.5", "--part", "30", "--sensor", "8.8", "--distance", "250")
    assert done.exit_code == 0, done.exception
    assert "8 mm" in done.output
    assert "131 mm" in done.output


@pytest.mark.parametrize(
    "arguments", [("field", "--defect", "0", "--part", "30"), ("field", "--defect", "50", "--part", "30")]
)
def test_what_makes_no_sense_is_an_error_with_a_remedy(arguments: tuple[str, ...]) -> None:
    error = run(*arguments).exception
    assert isinstance(error, CameraError)
    assert error.remedy


def test_an_unreadable_picture_is_an_error(station: Path) -> None:
    (station.parent / "images" / "a.png").write_bytes(b"")
    error = run("snap", str(station)).exception
    assert isinstance(error, CameraError)
    assert "empty" in str(error)


def test_host_names_every_check() -> None:
    done = run("host", "--interface", "lo")
    assert done.exception is None or isinstance(done.exception, SystemExit)
    for word in ("Aravis library", "receive buffer", "raw sockets", "MTU of lo"):
        assert word in done.output
