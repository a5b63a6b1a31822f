"""``python -m build_engines banks``: what a thinned bank costs in accuracy."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from edge.terminal.progress import progress_bar


@click.command(name="banks")
@click.argument("bundle_name", metavar="BUNDLE")
@click.argument("datasets", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--shots", default=4, show_default=True, type=click.IntRange(min=1), help="Number of references."
)
@click.option("--seed", default=0, show_default=True, help="Seed for drawing the references.")
@click.option("--limit", type=click.IntRange(min=2), help="Inspect at most this many images per category.")
@click.option(
    "--rows",
    "sizes",
    multiple=True,
    type=click.IntRange(min=1),
    help="Number of rows that a bank keeps (may be repeated).  [default: 256, 512, what enrollment keeps, "
    "4096]",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures to this file.")
def command(
    bundle_name: str,
    datasets: tuple[Path, ...],
    shots: int,
    seed: int,
    limit: int | None,
    sizes: tuple[int, ...],
    json_file: Path | None,
) -> None:
    """Inspect DATASETS with all good patches and with thinned banks.

    Reports the image AUROC of the map alone; for the time of matching, see `anomalygpt-edge bench --engines`.
    BUNDLE is a name in the cache or a folder, DATASETS are what `anomalygpt-edge evaluate` takes.
    """
    from rich.console import Console

    from build_engines.studies.bank_sizes import bank_sizes_table, judge_bank_sizes
    from edge.evaluation.dataset import find_categories
    from edge.evaluation.report import check_target, write_json
    from edge.terminal.opened_engine import opened_engine
    from edge.vision.enrollment import BANK_ROWS

    if json_file is not None:
        check_target(json_file)
    categories = find_categories(datasets)
    if limit is not None:
        categories = [category.limited(limit) for category in categories]
    wanted = sorted(set(sizes)) or [256, 512, BANK_ROWS, 4096]
    with opened_engine(bundle_name) as (bundle, engine), progress_bar() as progress:
        rows = judge_bank_sizes(engine, bundle, categories, shots, seed, wanted, progress)
    if json_file is not None:
        figures = {"shots": shots, "seed": seed, "limit": limit, "products": [asdict(row) for row in rows]}
        write_json(json_file, figures, bundle)
    Console().print(bank_sizes_table(rows))
