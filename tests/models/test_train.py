"""``python -m models.train``: its help, one clear line where it cannot go on, and its stages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import cv2
import pytest
from click.testing import CliRunner

from edge.bundle import DEFAULT_BUNDLE, Bundle
from models.__main__ import cli
from models.commands.train import STAGES, command, typed
from tests.models.small import Plate


def said(*arguments: str | Path) -> str:
    """The one line that a run which cannot go on ends with."""
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code not in (0, None)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    lines = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1 and "Traceback" not in result.output
    return lines[0]


def test_help_says_what_is_trained_on_what_without_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from models.__main__ import run_command; run_command('train', ['--help'])"
    )
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    for word in ("PRESET", "DATA", "--run", "--gguf", "--out", *STAGES, DEFAULT_BUNDLE):
        assert word in output


@pytest.mark.parametrize("in_a_group", [False, True])
def test_weights_name_one_command_however_it_was_called(
    in_a_group: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys, "argv", ["models", *(["train"] if in_a_group else []), "dinov2-s", "--seed", "3"]
    )
    with click.Context(command, parent=click.Context(cli) if in_a_group else None):
        assert typed() == "python -m models.train dinov2-s --seed 3"


def test_without_torch_it_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "models.training.stages", raising=False)
    assert "anomalygpt-edge[train]" in said("dinov2-s", "--run", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("dinov2-s", "--stage", "dreaming"), "'dreaming' is not one of"),
        (("dinov2-s", "/no/such/folder"), "does not exist"),
        (("dinov2-s", "--threads", "0"), "--threads"),
        (("dinov2-s", "--gguf", "/no/such.gguf"), "does not exist"),
    ],
)
def test_an_option_that_cannot_be_is_refused(arguments: tuple[str, ...], words: str) -> None:
    assert words in said(*arguments)


class TestStages:
    """On the tiny encoder, with products that are drawn for the test."""

    @pytest.fixture(autouse=True)
    def torch(self, one_thread: None) -> None:
        """Skips where there is none."""

    @pytest.fixture
    def run(self, tmp_path: Path) -> Path:
        return tmp_path / "run"

    def test_a_preset_that_is_not_built_says_how_to_build_it(self, run: Path) -> None:
        line = said("dinov9", "--run", run)
        assert "There is no bundle 'dinov9'" in line and "python -m build_engines build" in line

    def test_a_folder_with_too_few_images_is_named(
        self, tiny_bundle: Bundle, run: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "few").mkdir()
        cv2.imwrite(str(tmp_path / "few" / "0.png"), Plate().good(0))
        assert "few has 1 images" in said(tiny_bundle.path, tmp_path / "few", "--run", run)

    @pytest.mark.parametrize(
        ("stage", "missing", "first"),
        [("maps", "decoder", "decoder"), ("reader", "maps", "maps")],
    )
    def test_a_stage_whose_ground_is_missing_names_the_stage_that_makes_it(
        self, tiny_bundle: Bundle, run: Path, stage: str, missing: str, first: str
    ) -> None:
        line = said(tiny_bundle.path, "--run", run, "--stage", stage)
        assert f"no {missing}" in line and f"--stage {first}" in line

    def test_a_bundle_without_a_language_model_asks_for_a_gguf(self, tiny_bundle: Bundle, run: Path) -> None:
        assert "--gguf FILE" in said(tiny_bundle.path, "--run", run, "--stage", "dialogue")

    def test_each_stage_leaves_its_result_and_does_not_repeat_it(
        self, tiny_bundle: Bundle, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from models.training import stages
        from models.training.maps import Maps

        asked: list[int] = []

        def products(count: int, seed: int, held_out: bool = False) -> list[Plate]:
            return [Plate(100 * held_out + 10 * seed + number, asked) for number in range(count)]

        monkeypatch.setattr(stages, "training_products", products)
        plan = ["--products", "1", "--validation-products", "1", "--decoder-products", "2"]
        plan += ["--decoder-steps", "4", "--reader-steps", "4", "--imagined-maps", "100", "--run", str(run)]
        plan += [option for stage in STAGES[:3] for option in ("--stage", stage)]
        done = CliRunner().invoke(command, [str(tiny_bundle.path), *plan], catch_exceptions=False)
        assert done.exit_code == 0 and "reader: {'balanced'" in done.output
        assert len(Maps.load(run / "maps.npz").scores) == len(Maps.load(run / "validation.npz").scores) == 20
        assert set(json.loads((run / "curves.json").read_text())) == {"decoder", "reader"}
        assert {"decoder.safetensors", "reader.safetensors", "decoder.png", "reader.png"} <= {
            path.name for path in run.iterdir()
        }
        kept = (run / "decoder.safetensors").read_bytes()
        asked.clear()
        again = CliRunner().invoke(command, [str(tiny_bundle.path), *plan], catch_exceptions=False)
        assert asked == [], "no part is looked at twice"
        assert again.output == done.output
        assert (run / "decoder.safetensors").read_bytes() == kept

        out = tmp_path / "weights.safetensors"
        line = said(tiny_bundle.path, *plan, "--out", out)
        assert "no learner" in line and "--stage dialogue" in line and not out.exists()
