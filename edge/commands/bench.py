"""``bench``: how fast this machine inspects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edge.choices import RequestedPrecision, VerdictSource
from edge.errors import EngineError
from edge.terminal.options import (
    bundle_option,
    json_option,
    measured_decided_by_option,
    precision_option,
)

if TYPE_CHECKING:
    from rich.console import Group

    from edge.bundle import Bundle

_DRAWN = 10
_OF_A_STATION = ("references", "parts", "decided_by", "precision")


@click.command(name="bench")
@click.option(
    "--engines",
    is_flag=True,
    help="Time the encoder instead: OpenVINO and ONNX Runtime in every precision, at several sizes and "
    "batches, as a share of this machine's peak; and matching, by size of the bank. Needs the extra `build`.",
)
@json_option
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Images of parts, good ones first; without this option, parts of 1280×1024 pixels are rendered.",
)
@click.option(
    "--references",
    default=4,
    show_default=True,
    metavar="K",
    type=click.IntRange(min=1),
    help="Number of good parts to learn from; with --images, the first K.",
)
@click.option(
    "--parts",
    default=50,
    show_default=True,
    metavar="N",
    type=click.IntRange(min=1),
    help="Number of parts to inspect, and so of samples per figure.",
)
@measured_decided_by_option
@precision_option
@bundle_option
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    metavar="T",
    help="Inference threads; default: OpenVINO's choice.",
)
@click.pass_context
def command(
    ctx: click.Context,
    engines: bool,
    json_file: Path | None,
    images: Path | None,
    references: int,
    parts: int,
    decided_by: VerdictSource | None,
    precision: RequestedPrecision,
    bundle: str | None,
    threads: int | None,
) -> None:
    """Time every stage on this machine, and each precision.

    First, a station's work on one part after another: decode, preprocess, graph, calibration,
    regions, language (the verdict), record (row, image and overlay on disk), publish (outbox on disk, to an
    embedded broker). Then each image without and with the language model's verdict, and with its sentence.
    Then the bundle's precisions side by side, image by image, each with the bare encoder of the same graph,
    to show what the rest of the vision path adds.

    Other programs running at the same time affect the figures.
    """
    from rich.console import Console

    from edge.bundle import Bundle
    from edge.evaluation.report import check_target, write_json

    if engines:
        _refuse_what_only_a_station_has(ctx)
    if json_file is not None:
        check_target(json_file)
    chosen = Bundle.resolve(bundle)
    if engines:
        figures, tables = _engines(chosen, images, threads)
    else:
        figures, tables = _station(chosen, images, references, parts, decided_by, precision, threads)
    if json_file is not None:
        write_json(json_file, figures, chosen)
    Console().print(tables)


def _refuse_what_only_a_station_has(ctx: click.Context) -> None:
    for option in ctx.command.params:
        name = option.name or ""
        if name in _OF_A_STATION and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"{option.opts[0]} cannot be combined with --engines, which does not run a station.", ctx
            )


def _engines(bundle: Bundle, images: Path | None, threads: int | None) -> tuple[dict[str, Any], Group]:
    """The engines side by side: JSON and tables."""
    from edge import tools

    tools.reach()
    try:
        from build_engines.engine_bench import engine_tables, engines_json, measure_engines
    except ImportError as error:
        raise EngineError(
            f"--engines needs what builds bundles, and {error.name} is not installed.",
            tools.install("build"),
        ) from error
    from edge.cameras import read_image
    from edge.evaluation.parts import given_parts, render_part
    from edge.terminal.progress import progress_bar

    with progress_bar() as progress:
        if images is None:
            shown = [render_part(seed) for seed in range(_DRAWN)]
        else:
            shown = [read_image(path) for path in given_parts(images, 0)[1][:_DRAWN]]
        measured = measure_engines(bundle, shown, progress, threads=threads)
    return engines_json(measured), engine_tables(measured)


def _station(
    bundle: Bundle,
    images: Path | None,
    references: int,
    parts: int,
    decided_by: VerdictSource | None,
    precision: RequestedPrecision,
    threads: int | None,
) -> tuple[dict[str, Any], Group]:
    """A station's work and the precisions: JSON and tables."""
    from tempfile import TemporaryDirectory

    from edge.evaluation.bench import bench
    from edge.evaluation.bench_report import bench_tables
    from edge.evaluation.parts import drawn_parts, given_parts
    from edge.terminal.progress import progress_bar

    decided_by = decided_by or ("calibration" if bundle.manifest.language is None else "language")
    with TemporaryDirectory(prefix="anomalygpt-edge-bench-") as drawn, progress_bar() as progress:
        if images is None:
            progress("drawing parts", 0, 1)
            good, shown = drawn_parts(Path(drawn), references, min(parts, _DRAWN))
        else:
            good, shown = given_parts(images, references)
        measured = bench(
            bundle,
            good,
            shown,
            parts,
            progress,
            precision=precision,
            threads=threads,
            decided_by=decided_by,
        )
    return measured.to_json(), bench_tables(measured)
