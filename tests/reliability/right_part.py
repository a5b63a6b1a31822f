"""How many parts get another part's verdict, on lines that go wrong in every way at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings

from tests.edge.station.line_model import LINES, Passing, run


def right_part(folder: Path, lines: int) -> dict[str, Any]:
    """So many random lines past a station's triggers; needs no folder."""
    del folder
    figures = {"lines": 0, "announced": 0, "judged": 0, "mislabelled": 0}

    @settings(max_examples=lines, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(LINES)
    def count(case: tuple[list[Passing], float]) -> None:
        outcome = run(*case)
        figures["lines"] += 1
        figures["announced"] += len(outcome.announced)
        figures["judged"] += len(outcome.judged)
        figures["mislabelled"] += len(outcome.mislabelled)

    count()
    return figures
