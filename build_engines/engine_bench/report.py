"""Engines side by side, as JSON for programs and as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from build_engines.engine_bench.measure import EngineBenchResult, Group, fastest_that_passed
from build_engines.engine_bench.runtimes import OPENVINO, Contestant
from edge.evaluation.about import machine

if TYPE_CHECKING:
    from rich.console import Group as Shown
    from rich.table import Table

_BASE = Contestant(OPENVINO, "fp32")


def engines_json(measured: EngineBenchResult) -> dict[str, Any]:
    """Plain JSON types; milliseconds, 10^9 operations, and fractions."""
    own = measured.own
    return {
        "bundle": measured.bundle,
        "machine": machine(),
        "threads": measured.threads,
        "peak_gflops": measured.peak_gflops,
        "engines": [
            {
                "runtime": contestant.runtime,
                "precision": contestant.precision,
                "passed": contestant.precision in measured.passed,
                "size": list(group.size),
                "batch": group.batch,
                "rounds": len(group.run_ms[contestant]),
                "gflop_per_image": group.gflop,
                "ms_per_image": group.image_ms(contestant),
                "images_per_second": 1e3 / group.image_ms(contestant),
                "of_peak": group.of_peak(contestant),
                "times_as_fast_as_fp32": group.times_as_fast(contestant, _BASE),
            }
            for group in measured.groups
            for contestant in group.run_ms
        ],
        "auto": {
            "takes": str(measured.auto),
            "fastest_that_passed": None if own is None else str(fastest_that_passed(own, measured.passed)),
        },
        "banks": [
            {
                "rows": rows,
                "match_ms": run.match_p50_ms,
                "share_of_encoder": {precision: run.share(precision) for precision in run.encode_ms},
            }
            for rows, run in measured.banks.items()
        ],
    }


def engine_tables(measured: EngineBenchResult) -> Shown:
    """Runtimes and precisions, then what matching costs on top."""
    from rich.console import Group as Shown

    peaks = ", ".join(f"{precision} {rate:.0f}" for precision, rate in measured.peak_gflops.items())
    return Shown(
        f"{measured.bundle}, the encoder alone; all engines in turn on each image",
        _engines(measured),
        "Peak: what bare matrix products reach in OpenVINO, in turn with the engines; "
        f"the highest in GFLOP/s: {peaks}.",
        _choice(measured),
        "",
        "Matching, map, score and rows behind the encoder, by the bank's size; shares of the encoder's time:",
        _banks(measured),
    )


def _engines(measured: EngineBenchResult) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=0)
    for name in ("side", "batch", "GFLOP", "engine", "ms/image", "images/s", "of peak", "× fp32", ""):
        table.add_column(name, justify="left" if name in ("engine", "") else "right", no_wrap=True)
    for group in measured.groups:
        for number, contestant in enumerate(group.run_ms):
            ms = group.image_ms(contestant)
            table.add_row(
                *(_title(group) if number == 0 else ("", "", "")),
                str(contestant),
                f"{ms:.1f}",
                f"{1e3 / ms:.1f}",
                f"{group.of_peak(contestant):.0%}",
                f"{group.times_as_fast(contestant, _BASE):.2f}",
                _mark(measured, contestant),
            )
        table.add_section()
    return table


def _title(group: Group) -> tuple[str, str, str]:
    return str(group.size[0]), str(group.batch), f"{group.gflop:.1f}"


def _mark(measured: EngineBenchResult, contestant: Contestant) -> str:
    if contestant == measured.auto:
        return "auto"
    return "" if contestant.precision in measured.passed else "not passed"


def _choice(measured: EngineBenchResult) -> str:
    """Whether what `auto` takes is the fastest of those whose features are right, as a station works."""
    own = measured.own
    if own is None:
        return f"auto takes {measured.auto}."
    where = f"at {own.size[0]} pixels, one image at a time"
    fastest = fastest_that_passed(own, measured.passed)
    if fastest == measured.auto:
        return f"auto takes {measured.auto}: {where}, the fastest of those that passed the parity gate."
    ratio = own.times_as_fast(fastest, measured.auto)
    return f"auto takes {measured.auto}; {where}, {fastest}, which passed too, is {ratio:.2f} times as fast."


def _banks(measured: EngineBenchResult) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    precisions = next(iter(measured.banks.values())).encode_ms
    table = Table(box=SIMPLE_HEAD)
    for name in ("rows", "p50 ms", *(f"of {precision}" for precision in precisions)):
        table.add_column(name, justify="right")
    for rows, run in measured.banks.items():
        shares = (f"{run.share(precision):.1%}" for precision in precisions)
        table.add_row(f"{rows:,}", f"{run.match_p50_ms:.1f}", *shares)
    return table
