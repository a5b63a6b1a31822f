"""A CLIP of random weights from its checkpoint to a verdict: build, enroll, inspect."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner

from build_engines.__main__ import cli as build_engines
from build_engines.parity.labelled import rendered_set
from edge.bundle import Bundle
from edge.cli import cli as station
from edge.paths import DATA_VARIABLE
from models.data.rendered import rendered_products
from tests.build_engines.encoders.checkpoints import LAYERS, hub_preset, save_clip, save_dinov2


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache and products of its own, and few images to measure on."""
    monkeypatch.setenv("ANOMALYGPT_EDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    monkeypatch.setattr(
        "build_engines.parity.labelled.rendered_set", lambda: rendered_set(products=2, parts=2)
    )


def call(group: object, *arguments: str | Path) -> str:
    result = CliRunner().invoke(group, [str(a) for a in arguments], catch_exceptions=False)  # type: ignore[arg-type]
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("family", ["clip", "dinov2"])
def test_a_checkpoint_becomes_a_bundle_that_judges(tmp_path: Path, family: str) -> None:
    _, files = (save_clip if family == "clip" else save_dinov2)(tmp_path)
    hub_preset(tmp_path, family, files, input_size=96)
    call(build_engines, "build", tmp_path / "small.yaml")
    bundle = Bundle.resolve("small")
    parity = bundle.graph("fp32").parity
    assert parity is not None
    assert parity.against == "numpy forward of the source's weights"
    assert parity.patch_cosine_min > 0.9999
    assert "up to date" in call(build_engines, "build", tmp_path / "small.yaml")

    (product,) = rendered_products(1, seed=3)
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), product.good(number))
    options = ("--bundle", bundle.path)
    judge = ("inspect", *options, "--json", "--decided-by", "calibration")
    call(station, "enroll", *options, "--product", "part", tmp_path / "0.png", tmp_path / "1.png")
    (line,) = call(station, *judge, "--product", "part", tmp_path / "2.png").splitlines()
    inspection = json.loads(line)
    assert inspection["verdict"] in ("ok", "ng")
    assert inspection["bundle"] == bundle.id
    if family == "clip":  # Its text map judges without references, too.
        (line,) = call(station, *judge, "--zero-shot", tmp_path / "2.png").splitlines()
        assert json.loads(line)["verdict"] in ("ok", "ng")


def test_a_step_that_other_taps_leave_without_a_text_map_says_so(tmp_path: Path) -> None:
    _, files = save_clip(tmp_path)
    hub_preset(tmp_path, "clip", files)
    result = CliRunner().invoke(build_engines, ["export", str(tmp_path / "small.yaml"), "--taps", "0,1"])
    assert f"output of layer {LAYERS - 2}" in str(result.exception)
