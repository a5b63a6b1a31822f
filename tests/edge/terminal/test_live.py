"""The live table shows what was said, whatever a part is called."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from edge.inspection import Inspection, Verdict
from edge.station.judging import Judged
from edge.station.run_counters import RunCounters
from edge.terminal.live import PartsView, score_text


def judged(seq: int, verdict: Verdict, part_id: str, **more: Any) -> Judged:
    return Judged(
        Inspection(f"id-{seq}", seq, "s", "p", part_id, "c", "2026-01-02T03:04:05.678Z", verdict, **more)
    )


def shown(view: PartsView, console: Console) -> str:
    with view.live():
        pass
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_last_parts_and_the_counters_are_on_the_screen() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=100, height=40)
    view = PartsView(console, "plate on cell-3", total=50, footer=lambda: "heard 15")
    view.count(lambda: RunCounters(total=15, ok=14, ng=1, timed=15, min_ms=1, sum_ms=150, max_ms=20))
    for seq in range(1, 15):
        view.add(judged(seq, Verdict.OK, f"part-{seq}", score=0.1))
    view.add(judged(15, Verdict.NG, "[red]odd[/] name", score=1.5, location="top left"))
    text = shown(view, console)
    for word in (
        "plate on cell-3",
        "[red]odd[/] name",
        "NG",
        "1.50",
        "top left",
        "15 of 50 parts",
        "heard 15",
        "1 / 10 / 20 ms a part",
        "wait",
    ):
        assert word in text
    assert "part-4" in text and "part-3 " not in text, "only the last ones have room"


@pytest.mark.parametrize("width", [72, 80, 120])
def test_no_width_hides_the_place_or_the_sentence(width: int) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=width, height=40)
    view = PartsView(console, "plate")
    words = "Yes, there is an anomaly in the image, at the bottom right of the image."
    view.add(judged(1, Verdict.NG, "part-1", score=1.5, location="bottom right"))
    view.add(judged(2, Verdict.OK, "part-2", score=0.1))
    view.hear(judged(1, Verdict.NG, "part-1", score=1.5, location="bottom right", words=words).inspection)
    text = shown(view, console)
    row = [line for line in text.splitlines() if "1.50" in line][-1]
    assert "bottom right" in row
    assert f"part-1: {words}" in " ".join(text.split())


def test_an_error_is_told_in_full() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=80, height=40)
    view = PartsView(console, "plate")
    error = "/data/parts/part-1.png: the JPEG is cut short: its end marker is missing after 4711 bytes."
    view.add(judged(1, Verdict.ERROR, "part-1", error=error))
    assert error in " ".join(shown(view, console).split())


def test_without_a_terminal_each_part_is_a_line() -> None:
    console = Console(file=io.StringIO(), width=40)
    view = PartsView(console, "plate")
    view.print_line(judged(3, Verdict.ERROR, "[part]", error="overrun: " + "long " * 20))
    view.print_line(judged(4, Verdict.OK, "part-4", score=-0.001, latency_ms={"queue": 400, "total": 412.3}))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].split()[:3] == ["3", "[part]", "ERROR"]
    assert lines[1].split() == ["4", "part-4", "OK", "0.00", "12", "ms", "waited", "400", "ms"]


def test_a_score_of_nothing_has_no_sign() -> None:
    assert [score_text(score) for score in (-0.001, 0.005, -0.25, 1.0)] == ["0.00", "0.01", "-0.25", "1.00"]
