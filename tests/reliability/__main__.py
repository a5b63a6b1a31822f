"""Break what surrounds a station, and count. ``python -m tests.reliability --help``"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import click

from tests.reliability import load
from tests.reliability.scenarios import SCENARIOS

LOADS = {"throughput": load.throughput, "inspection_path": load.inspection_path}
NAMES = [*SCENARIOS, *LOADS, "day_without_broker"]


@click.command()
@click.option("--events", default=10_000, show_default=True, help="Results of each scenario.")
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="Run these alone.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures here.")
def main(events: int, only: tuple[str, ...], json_path: Path | None) -> None:
    """Run the scenarios against a real mosquitto with TLS, password and ACL. Link and disk need root."""
    figures: dict[str, Any] = {}
    for name in only or NAMES:
        with tempfile.TemporaryDirectory(prefix=f"reliability-{name}-") as folder:
            if name in SCENARIOS:
                figures[name] = dataclasses.asdict(SCENARIOS[name](Path(folder), events))
            elif name in LOADS:
                figures[name] = LOADS[name](Path(folder), events)
            else:
                figures[name] = load.day_without_broker(Path(folder), min(load.DAY_S, events * 9))
        click.echo(f"{name}: {json.dumps(figures[name])}")
        if json_path is not None:
            json_path.write_text(json.dumps(figures, indent=2) + "\n")
    lost = sum(run.get("lost", 0) + run.get("events_lost", 0) for run in figures.values())
    if lost:
        raise click.ClickException(f"{lost} messages were lost.")


if __name__ == "__main__":
    main()
