"""The commands as a user types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge.bundle import Bundle
from edge.cli import cli
from edge.errors import BundleError, DatasetError, EdgeError

Run = Callable[..., Result]


@pytest.fixture
def run(small_bundle: Bundle) -> Run:
    """Runs a command on the tiny bundle; errors arrive as the exceptions that they are."""

    def run(command: str, *words: object) -> Result:
        typed = (command, *words, "--bundle", small_bundle.path, "--precision", "fp32")
        return CliRunner().invoke(
            cli, [str(word) for word in typed], catch_exceptions=False, standalone_mode=False
        )

    return run


def test_evaluate_prints_a_table_and_writes_the_figures(run: Run, plates: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    result = run("evaluate", plates.parent, "--shots", 1, "--seeds", 0, 1, 2, "--json", out)
    assert "1 reference, seeds 0, 1, 2" in result.output
    assert "plates" in result.output
    written = json.loads(out.read_text())
    assert (written["shots"], written["seeds"]) == (1, [0, 1, 2])
    assert written["bundle"].startswith("tiny-")
    assert written["categories"]["plates"]["images"] == 8


def test_evaluate_takes_several_numbers_of_references(run: Run, plates: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    run("evaluate", plates, "--json", out, "--shots", 1, 2, "--limit", 4)
    runs = json.loads(out.read_text())["runs"]
    assert [one["shots"] for one in runs] == [1, 2]
    assert {one["categories"]["plates"]["images"] for one in runs} == {4}


def test_evaluate_gives_the_same_figures_each_time(run: Run, plates: Path, tmp_path: Path) -> None:
    written = []
    for options in ([], [], ["--whole-graph"]):
        run("evaluate", plates, "--json", tmp_path / "out.json", *options)
        written.append(json.loads((tmp_path / "out.json").read_text()))
        del written[-1]["latency_ms"]
    assert written[0] == written[1] == written[2]


def test_evaluate_refuses_what_it_cannot_judge_and_writes_nothing(
    run: Run, plates: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    with pytest.raises(DatasetError, match="neither a category nor a folder of categories"):
        run("evaluate", plates / "test", "--json", out)
    with pytest.raises(DatasetError, match="9 references"):
        run("evaluate", plates, "--shots", 9, "--json", out)
    assert not out.exists()


def test_a_place_that_cannot_be_written_is_refused_first(run: Run, plates: Path) -> None:
    with pytest.raises(EdgeError, match="cannot be written"):
        run("evaluate", plates, "--json", plates / "train/good/0.png/out.json")


def test_a_bundle_that_is_not_there_is_refused(plates: Path, tmp_path: Path) -> None:
    words = ["evaluate", str(plates), "--bundle", str(tmp_path / "none")]
    with pytest.raises(BundleError, match="no bundle"):
        CliRunner().invoke(cli, words, catch_exceptions=False, standalone_mode=False)


def test_bench_prints_tables_and_writes_the_figures(run: Run, plates: Path, tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    options = ("--images", plates / "train/good", "--references", 2, "--parts", 3, "--json", out)
    result = run("bench", *options)
    for word in ("decode", "publish", "ratio"):
        assert word in result.output
    written = json.loads(out.read_text())
    assert (written["precision"], written["parts"], written["references"]) == ("fp32", 3, 2)
    assert written["image_size"] == [96, 128]


def test_bench_draws_parts_where_it_is_given_none(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    run("bench", "--references", 1, "--parts", 1, "--json", out)
    assert json.loads(out.read_text())["image_size"] == [1024, 1280]
