"""``bench``: how fast this machine inspects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from edge.commands._options import (
    bundle_option,
    json_option,
    measured_decided_by_option,
    precision_option,
)

if TYPE_CHECKING:
    from edge.bundle import Precision


@click.command(name="bench")
@json_option
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Images of parts, the first ones good; without it parts of 1280×1024 pixels are drawn.",
)
@click.option(
    "--references",
    default=4,
    show_default=True,
    metavar="K",
    type=click.IntRange(min=1),
    help="Good parts to learn from; with --images the first K.",
)
@click.option(
    "--parts",
    default=50,
    show_default=True,
    metavar="N",
    type=click.IntRange(min=1),
    help="Parts to inspect: the number of samples of each figure.",
)
@measured_decided_by_option
@precision_option
@bundle_option
@click.option(
    "--threads", type=click.IntRange(min=1), metavar="T", help="Of the inference; default: OpenVINO's choice."
)
def command(
    json_file: Path | None,
    images: Path | None,
    references: int,
    parts: int,
    decided_by: Literal["language", "calibration"] | None,
    precision: Precision | Literal["auto"],
    bundle: str | None,
    threads: int | None,
) -> None:
    """Time every stage on this machine, and each precision.

    First a station's work on one part after the other: decode, preprocess, graph, calibration,
    regions, language (the verdict), record (row, image and overlay on the disk), publish (the outbox on
    the disk, towards an embedded broker). Then each image without and with the language model's verdict,
    and with its sentence after it. Then the precisions of the bundle side by side, image by image, each
    with the bare encoder of the same graph: what the rest of the vision path costs on top of it.

    Other programs that run meanwhile are part of what is measured.
    """
    from tempfile import TemporaryDirectory

    from rich.console import Console

    from edge.bundle import Bundle
    from edge.evaluation.bench import bench
    from edge.evaluation.bench_report import bench_tables
    from edge.evaluation.parts import drawn_parts, given_parts
    from edge.evaluation.progress import progress_bar
    from edge.evaluation.report import check_target, write_json

    if json_file is not None:
        check_target(json_file)
    chosen = Bundle.resolve(bundle)
    decided_by = decided_by or ("calibration" if chosen.manifest.language is None else "language")
    with TemporaryDirectory(prefix="anomalygpt-edge-bench-") as drawn, progress_bar() as progress:
        if images is None:
            progress("drawing parts", 0, 1)
            good, shown = drawn_parts(Path(drawn), references, min(parts, 10))
        else:
            good, shown = given_parts(images, references)
        measured = bench(
            chosen,
            good,
            shown,
            parts,
            progress,
            precision=precision,
            threads=threads,
            decided_by=decided_by,
        )
    if json_file is not None:
        write_json(json_file, measured.to_json())
    Console().print(bench_tables(measured))
