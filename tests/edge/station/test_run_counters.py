"""The counters say what was said of the parts, and times of verdicts only."""

from __future__ import annotations

from edge.inspection import Inspection, Verdict
from edge.station.run_counters import RunCounters


def inspection(verdict: Verdict, ms: float | None = None, waited_ms: float = 0) -> Inspection:
    latency_ms = {} if ms is None else {"queue": waited_ms, "total": waited_ms + ms}
    return Inspection(
        "id", 1, "s", "p", "part", "c", "2026-01-01T00:00:00.000Z", verdict, latency_ms=latency_ms
    )


def test_every_verdict_is_counted_and_waiting_is_no_part_of_what_it_took() -> None:
    counters = RunCounters()
    counters = counters.plus(inspection(Verdict.OK, 30.0))
    counters = counters.plus(inspection(Verdict.NG, 10.0))
    counters = counters.plus(inspection(Verdict.ERROR), overrun=True)
    counters = counters.plus(inspection(Verdict.OK, 20.0, waited_ms=600.0), missed=3)
    assert (counters.total, counters.ok, counters.ng, counters.error) == (4, 2, 1, 1)
    assert (counters.overrun, counters.missed) == (1, 3)
    assert (counters.min_ms, counters.mean_ms, counters.max_ms) == (10.0, 20.0, 30.0)
    assert (counters.waited_mean_ms, counters.waited_max_ms) == (200.0, 600.0)
    assert str(counters) == (
        "4 parts: 2 OK, 1 NG, 1 errors (1 overruns), 3 missed; "
        "10 / 20 / 30 ms a part (min / mean / max), waited 200 / 600 ms (mean / max)"
    )


def test_before_the_first_part_there_is_nothing_to_say() -> None:
    assert RunCounters().mean_ms == 0.0
    assert str(RunCounters()) == "0 parts: 0 OK, 0 NG, 0 errors"
