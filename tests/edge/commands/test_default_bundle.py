"""The bundle that ships, from the first image to a verdict, through the same commands as a user's."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.bundle import Bundle
from edge.evaluation.parts import render_part
from edge.vision.simulate import simulate
from tests.edge.commands.conftest import Command


@pytest.mark.slow
def test_a_part_with_a_missing_piece_is_ng_and_its_place_is_found(
    command: Command, tmp_path: Path, default_bundle: Bundle
) -> None:
    good = tmp_path / "good"
    good.mkdir()
    for number in range(3):
        cv2.imwrite(str(good / f"{number}.png"), render_part(number))
    defect = simulate(render_part(4), np.random.default_rng(4), kind="missing", size=0.02)
    cv2.imwrite(str(tmp_path / "fine.png"), render_part(3))
    cv2.imwrite(str(tmp_path / "bad.png"), defect.image)
    at = ["--product", "washer", "--data-dir", tmp_path / "data", "--bundle", default_bundle.path]
    assert command("enroll", *at, "--rotations", "none", good).code == 0
    done = command("inspect", *at, "--json", tmp_path / "fine.png", tmp_path / "bad.png")
    fine, bad = map(json.loads, done.out.splitlines())
    assert bad["verdict"] == "ng"
    assert bad["score"] > fine["score"]
    # The strongest region lies on what is missing.
    top = bad["regions"][0]
    inside = defect.mask[top["y"] : top["y"] + top["height"], top["x"] : top["x"] + top["width"]]
    assert inside.any()
