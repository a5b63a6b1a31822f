"""Figures on paper: the JSON's shape is a promise, the table is for reading."""

from __future__ import annotations

import dataclasses
import datetime
import json
import platform
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edge.bundle import Bundle
from edge.errors import EdgeError
from edge.evaluation.evaluate import CategoryResult, EvaluationResult, SeedResult
from edge.evaluation.report import check_target, result_table, results_json, write_json
from edge.evaluation.scorer import FIGURE_NAMES, CategoryFigures
from edge.evaluation.timing import percentiles
from tests.edge.evaluation.conftest import shown

FRACTION = {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "null"}]}
FIGURES = dict.fromkeys(FIGURE_NAMES, FRACTION)
MS = {
    "type": "object",
    "properties": {name: {"type": ["number", "null"], "minimum": 0} for name in ("p50", "p99")},
    "required": ["p50", "p99"],
    "additionalProperties": False,
}


def closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


SCHEMA = closed(
    {
        "bundle": {"type": "string"},
        "shots": {"type": "integer", "minimum": 0},
        "seeds": {"type": "array", "items": {"type": "integer"}},
        "decided_by": {"enum": ["language", "calibration"]},
        "categories": {
            "type": "object",
            "additionalProperties": closed(
                {
                    "images": {"type": "integer"},
                    **FIGURES,
                    "by_seed": {
                        "type": "array",
                        "items": closed(
                            {
                                "seed": {"type": "integer"},
                                "references": {"type": "array", "items": {"type": "string"}},
                                **FIGURES,
                            }
                        ),
                    },
                }
            ),
        },
        "mean": closed(FIGURES),
        "latency_ms": closed({"vision": MS, "language": MS, "total": MS}),
    }
)


def result(shots: int = 1, language: dict[str, float] | None = None) -> EvaluationResult:
    """Two categories, judged by the calibrated score, and by a language model where figures are given."""
    one = CategoryFigures(
        image_auroc=0.9,
        pixel_auroc=0.8,
        pro=0.7,
        accuracy_calibration=0.6,
        balanced_accuracy_calibration=0.5,
        **(language or {}),
    )
    two = CategoryFigures(image_auroc=0.7, accuracy_calibration=0.8, balanced_accuracy_calibration=0.7)
    nut = CategoryResult(7, (SeedResult(0, ("1.png",), one), SeedResult(1, ("2.png",), two)))
    bolt = CategoryResult(5, (SeedResult(0, ("1.png",), one), SeedResult(1, ("3.png",), one)))
    by, language_ms = ("calibration", []) if language is None else ("language", [5.0, 1.0, 3.0])
    return EvaluationResult(
        "tiny-0123abcd", shots, (0, 1), by, {"nut": nut, "bolt": bolt}, [10.0, 20.0, 30.0], language_ms
    )


def test_one_number_of_references_gives_the_promised_json() -> None:
    written = json.loads(json.dumps(results_json([result()])))
    jsonschema.validate(written, SCHEMA)
    assert written["categories"]["nut"]["image_auroc"] == pytest.approx(0.8)  # over the seeds
    assert written["categories"]["nut"]["pixel_auroc"] == pytest.approx(0.8)  # of the one that has it
    assert written["mean"]["image_auroc"] == pytest.approx(0.85)  # over the categories
    assert written["mean"]["accuracy"] is None
    assert written["latency_ms"]["vision"]["p50"] == 20.0
    assert written["latency_ms"]["language"] == {"p50": None, "p99": None}
    assert written["latency_ms"]["total"]["p50"] == 20.0


def test_a_language_verdict_adds_its_figures_and_its_time() -> None:
    written = results_json([result(language={"accuracy": 1.0, "language_auroc": 0.95})])
    jsonschema.validate(written, SCHEMA)
    assert written["decided_by"] == "language"
    assert written["categories"]["bolt"]["accuracy"] == 1.0
    assert written["categories"]["bolt"]["language_auroc"] == 0.95
    latency = written["latency_ms"]
    assert (latency["language"]["p50"], latency["total"]["p50"]) == (3.0, 21.0)


def test_several_numbers_of_references_give_one_such_json_each() -> None:
    written = results_json([result(1), result(4)])
    assert [run["shots"] for run in written["runs"]] == [1, 4]
    for run in written["runs"]:
        jsonschema.validate(run, SCHEMA)
    assert (written["bundle"], written["seeds"]) == ("tiny-0123abcd", [0, 1])


def test_a_run_without_references_hides_no_seed_of_the_others() -> None:
    without = dataclasses.replace(result(0), seeds=(0,))
    written = results_json([without, result(1)])
    assert (written["seeds"], written["runs"][0]["seeds"]) == ([0, 1], [0])


def test_the_table_shows_the_figures_that_there_are() -> None:
    table = shown(result_table(result(4)), 120)
    assert "4 references" in table
    for word in ("nut", "bolt", "mean", "AUROC", "85.0", "12"):
        assert word in table
    columns = table.split("Per cent.")[0]
    assert "PRO" in columns
    assert "place" not in columns and "words" not in columns  # no category has it


def test_all_figures_fit_into_eighty_characters() -> None:
    everything = CategoryFigures(**dict.fromkeys(FIGURE_NAMES, 1.0))
    judged = CategoryResult(1000, (SeedResult(0, ("1.png",), everything),))
    one = EvaluationResult("tiny-0123abcd", 1, (0,), "language", {"a_rather_long_name": judged})
    table = shown(result_table(one), 80)
    assert table.count("100.0") == 2 * len(FIGURE_NAMES)
    assert "…" not in table


def test_a_file_is_written_whole_and_replaces_the_one_before(tmp_path: Path, tiny_bundle: Bundle) -> None:
    path = tmp_path / "new" / "out.json"
    check_target(path)
    write_json(path, {"a": 1}, tiny_bundle)
    write_json(path, {"a": 2}, tiny_bundle)
    assert json.loads(path.read_text())["a"] == 2
    assert list(path.parent.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_found_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeError, match="cannot be written") as caught:
        check_target(tmp_path / "file" / "out.json")
    assert caught.value.remedy


def test_figures_say_what_they_are_about(
    tmp_path: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/anomalygpt-edge", "evaluate", "my plates", "--shots", "1"])
    write_json(tmp_path / "out.json", {}, tiny_bundle)
    about = json.loads((tmp_path / "out.json").read_text())["about"]
    assert about["bundle"] == tiny_bundle.id
    assert about["command"] == "anomalygpt-edge evaluate 'my plates' --shots 1"
    assert datetime.date.fromisoformat(about["date"])
    assert about["machine"]["cpu"] and about["machine"]["cpus"] and about["machine"]["openvino"]
    assert platform.node() not in json.dumps(about), "no name of this machine"


def test_the_command_beside_figures_names_no_folder_of_this_machine(
    tmp_path: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.json"
    monkeypatch.setattr("sys.argv", ["anomalygpt-edge", "evaluate", "sets/plates", "--json", str(out)])
    write_json(out, {}, tiny_bundle)
    about = json.loads(out.read_text())["about"]
    assert about["command"] == "anomalygpt-edge evaluate sets/plates --json out.json"


def test_nothing_half_written_is_left(tmp_path: Path, tiny_bundle: Bundle) -> None:
    (tmp_path / "out.json").mkdir()
    with pytest.raises(EdgeError, match=r"out\.json cannot be written"):
        write_json(tmp_path / "out.json", {"a": 1}, tiny_bundle)
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.json"]


def test_percentiles_are_between_the_nearest_samples() -> None:
    assert percentiles([1.0, 2.0, 3.0, 4.0]) == {"p50": 2.5, "p99": pytest.approx(3.97)}
    assert percentiles([]) == {"p50": None, "p99": None}
