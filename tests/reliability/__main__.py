"""Break what surrounds a station, and count. ``python -m tests.reliability --help``"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from edge.bundle import Bundle
from edge.evaluation.report import check_target, write_json
from tests.build_engines.tiny import tiny_bundle
from tests.reliability.fuzz import fuzzed_commands
from tests.reliability.hang import hung_inspector
from tests.reliability.inspection_path import inspection_path
from tests.reliability.load import DAY_S, day_without_broker, throughput
from tests.reliability.right_part import right_part
from tests.reliability.scenarios import FULL, SCENARIOS

MEASUREMENTS: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "throughput": throughput,
    "day_without_broker": lambda folder, events: day_without_broker(
        folder, DAY_S * events // FULL, seconds=DAY_S * events // FULL
    ),
    # More than the outbox takes: what it gives up, and what it keeps.
    "fast_day_without_broker": lambda folder, events: day_without_broker(
        folder, 5 * DAY_S * events // FULL, seconds=DAY_S * events // FULL
    ),
    "right_part": right_part,
    "hung_inspector": lambda folder, events: hung_inspector(folder, max(1, 10 * events // FULL)),
    "fuzzed_commands": lambda folder, events: fuzzed_commands(folder, 10 * events),
    "inspection_path": lambda folder, events: inspection_path(
        folder, Bundle.default(), rate_hz=2.0, turn_s=15.0, rounds=max(1, 2 * events // FULL)
    ),
    # An inspection of 2 ms shows delays that one of 100 ms hides.
    "fast_inspection_path": lambda folder, events: inspection_path(
        folder,
        tiny_bundle(folder),
        rate_hz=40.0,
        turn_s=6.0,
        rounds=max(1, 4 * events // FULL),
        verdict={"decided_by": "calibration"},
    ),
}
NAMES = [*SCENARIOS, *MEASUREMENTS]


@click.command()
@click.option("--events", default=FULL, show_default=True, help="Results of each scenario.")
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="Run these alone.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures here.")
def main(events: int, only: tuple[str, ...], json_path: Path | None) -> None:
    """Run the scenarios against a real mosquitto with TLS, password and ACL. Link and disk need root."""
    if json_path is not None:
        check_target(json_path)
    figures: dict[str, Any] = {}
    for name in only or NAMES:
        with tempfile.TemporaryDirectory(prefix=f"reliability-{name}-") as folder:
            if name in SCENARIOS:
                figures[name] = dataclasses.asdict(SCENARIOS[name](Path(folder), events))
            else:
                figures[name] = MEASUREMENTS[name](Path(folder), events)
        click.echo(f"{name}: {json.dumps(figures[name])}")
        if json_path is not None:
            write_json(json_path, figures, Bundle.default())
    lost = sum(run.get("lost", 0) + run.get("events_lost", 0) for run in figures.values())
    if lost:
        raise click.ClickException(f"{lost} messages were lost.")


if __name__ == "__main__":
    main()
