"""A benchmark as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.evaluation.bench import BenchResult
from edge.evaluation.timing import percentiles

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table


def bench_tables(measured: BenchResult) -> Group:
    """The stages of a station's work, and the precisions side by side."""
    from rich.console import Group

    station = measured.station
    height, width = measured.image_size
    references = "1 reference" if measured.references == 1 else f"{measured.references} references"
    parts = f"{len(station.rss_mb)} parts of {width}×{height} pixels"
    return Group(
        f"{measured.bundle}, {measured.precision}, {references}, {parts}",
        _stages(measured),
        *_language(measured),
        f"Memory: {max(station.rss_mb):.0f} MB while inspecting, {station.peak_rss_mb:.0f} MB at most.",
        "",
        "Precisions in turn on each image; ratio: vision path over bare encoder; times: as fast as fp32.",
        _precisions(measured),
    )


def _stages(measured: BenchResult) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    station = measured.station
    table = Table(box=SIMPLE_HEAD)
    for name in ("stage", "p50 ms", "p99 ms", "per second"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    for stage, samples in station.stages_ms.items():
        table.add_row(stage, *_p50_p99(samples))
    table.add_section()
    for name, samples in (("vision path", station.vision_ms), ("all stages", station.total_ms)):
        table.add_row(name, *_p50_p99(samples), f"{1e3 * len(samples) / sum(samples):.2f}")
    return table


def _language(measured: BenchResult) -> list[str]:
    run = measured.language
    if run is None:
        return []
    added = percentiles(run.added_ms)
    return [
        f"The language model's verdict adds {added['p50']:.1f} ms to the vision path "
        f"(p99 {added['p99']:.1f} ms; {len(run.added_ms)} images without and with it).",
        f"After the verdict it writes {run.words_per_second:.1f} words per second.",
    ]


def _precisions(measured: BenchResult) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    table.add_column("\nprecision")
    for name in (
        "vision\np50 ms",
        "\np99 ms",
        "encoder\np50 ms",
        "\np99 ms",
        "\nratio",
        "vision\ntimes",
        "encoder\ntimes",
    ):
        table.add_column(name, justify="right")
    fp32 = measured.precisions.get("fp32")
    for precision, run in measured.precisions.items():
        speedups = (
            ("–", "–")
            if fp32 is None
            else (f"{run.vision_speedup(fp32):.2f}", f"{run.encoder_speedup(fp32):.2f}")
        )
        table.add_row(
            precision,
            *_p50_p99(run.vision_ms),
            *_p50_p99(run.encoder_ms),
            f"{run.ratio_to_encoder:.3f}",
            *speedups,
        )
    return table


def _p50_p99(samples: list[float]) -> tuple[str, str]:
    both = percentiles(samples)
    return f"{both['p50']:.2f}", f"{both['p99']:.2f}"
