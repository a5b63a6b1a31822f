"""What was measured, as JSON for programs and as a table for people."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.errors import EdgeError
from edge.evaluation.about import about
from edge.evaluation.evaluate import EvaluationResult
from edge.evaluation.scorer import FIGURE_NAMES, CategoryFigures
from edge.evaluation.timing import percentiles
from edge.whole_file import write_whole

if TYPE_CHECKING:
    from rich.console import Group

    from edge.bundle import Bundle

_TITLES = {
    "image_auroc": "image\nAUROC",
    "language_auroc": "words\nAUROC",
    "pixel_auroc": "pixel\nAUROC",
    "pro": "\nPRO",
    "accuracy": "words\nacc.",
    "balanced_accuracy": "words\nbal.",
    "accuracy_calibration": "calib.\nacc.",
    "balanced_accuracy_calibration": "calib.\nbal.",
    "location_accuracy": "\nplace",
}


def results_json(results: Sequence[EvaluationResult]) -> dict[str, Any]:
    """One result as it is; several under ``runs``, with what they have in common beside them."""
    if len(results) == 1:
        return _result_json(results[0])
    seeds = max((result.seeds for result in results), key=len)  # without references only one is used
    common = {"bundle": results[0].bundle, "seeds": list(seeds)}
    return {**common, "runs": [_result_json(result) for result in results]}


def _result_json(result: EvaluationResult) -> dict[str, Any]:
    return {
        "bundle": result.bundle,
        "shots": result.shots,
        "seeds": list(result.seeds),
        "decided_by": result.decided_by,
        "categories": {
            name: {
                "images": category.images,
                **dataclasses.asdict(category.figures),
                "by_seed": [
                    {
                        "seed": trial.seed,
                        "references": list(trial.references),
                        **dataclasses.asdict(trial.figures),
                    }
                    for trial in category.by_seed
                ],
            }
            for name, category in result.categories.items()
        },
        "mean": dataclasses.asdict(result.mean),
        "latency_ms": {
            "vision": percentiles(result.vision_ms),
            "language": percentiles(result.language_ms),
            "total": percentiles(result.total_ms),
        },
    }


def result_table(result: EvaluationResult) -> Group:
    """A row per category and their mean, in per cent; figures that no category has are left out."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table

    mean = result.mean
    shown = [name for name in FIGURE_NAMES if getattr(mean, name) is not None]
    seeds = ("seed " if len(result.seeds) == 1 else "seeds ") + ", ".join(str(seed) for seed in result.seeds)
    references = {0: "no reference", 1: "1 reference"}.get(result.shots, f"{result.shots} references")
    # Eighty characters are enough for all figures; a long name gives way.
    table = Table(box=SIMPLE_HEAD, padding=0)
    table.add_column("\ncategory", overflow="fold")
    table.add_column("\nimages", justify="right", no_wrap=True)
    for name in shown:
        table.add_column(_TITLES[name], justify="right", no_wrap=True, min_width=len("100.0"))
    for category, judged in result.categories.items():
        table.add_row(category, str(judged.images), *_cells(judged.figures, shown))
    table.add_section()
    images = sum(judged.images for judged in result.categories.values())
    table.add_row("mean", str(images), *_cells(mean, shown))
    legend = (
        "Per cent. acc.: accuracy; bal.: balanced accuracy; words: language verdict; calib.: calibrated "
        f"verdict; place: of the {result.decided_by} verdict's true alarms."
    )
    return Group(f"{result.bundle}, {references}, {seeds}", table, legend)


def check_target(path: Path) -> None:
    """Find out before the work whether its result can be written to ``path``; its folder is made.

    Raises:
        EdgeError: it cannot.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise _unwritable(path, "the folder may not be written to")


def write_json(path: Path, content: Mapping[str, Any], bundle: Bundle) -> None:
    """Write figures as a JSON file, whole or not at all, with what they are about.

    Args:
        bundle: of which they are.

    Raises:
        EdgeError: the file cannot be written.
    """
    whole = {"about": about(bundle), **content}
    try:
        write_whole(path, json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error


def _unwritable(path: Path, reason: str) -> EdgeError:
    return EdgeError(
        f"{path} cannot be written: {reason}.", "Choose a file in a writable folder with free space."
    )


def _cells(figures: CategoryFigures, names: Sequence[str]) -> list[str]:
    return [percent(getattr(figures, name)) for name in names]


def percent(fraction: float | None) -> str:
    """A figure in a table's cell, in per cent; a dash where there is none."""
    return "–" if fraction is None else f"{100 * fraction:.1f}"
