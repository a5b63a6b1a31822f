"""``python -m build_engines ablate``: what each piece of the method is worth."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from build_engines.presets import load_preset


@click.command("ablate")
@click.argument("preset")
@click.argument("datasets", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--shots", default=4, show_default=True, type=click.IntRange(min=1), help="Number of references."
)
@click.option("--seed", default=0, show_default=True, help="Seed for drawing the references.")
@click.option("--limit", type=click.IntRange(min=2), help="Inspect at most this many images per category.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures to this file.")
def command(
    preset: str,
    datasets: tuple[Path, ...],
    shots: int,
    seed: int,
    limit: int | None,
    json_file: Path | None,
) -> None:
    """Inspect DATASETS with pieces of the method left out, to see what each is worth.

    The reference map alone, the text map alone and both; without calibration; the language model without the
    map's rows, and in every quantization. DATASETS are what `anomalygpt-edge evaluate` takes.
    """
    from rich.console import Console

    from build_engines.graph.learned import read_learned
    from build_engines.language.language_half import weights_file
    from build_engines.studies.ablation import Ablation, ablation_table
    from edge.errors import BundleError
    from edge.evaluation.dataset import find_categories
    from edge.evaluation.report import check_target, write_json
    from edge.terminal.opened_engine import opened_engine
    from edge.terminal.progress import progress_bar

    if json_file is not None:
        check_target(json_file)
    language = load_preset(preset).language
    if language is None:
        raise BundleError(f"Preset {preset} has no language half.", "Use one that has: dinov2-s.")
    categories = find_categories(datasets)
    if limit is not None:
        categories = [category.limited(limit) for category in categories]
    with opened_engine(preset, "auto") as (bundle, engine), progress_bar() as progress:
        learned = read_learned(weights_file(language))
        rows = Ablation(engine, bundle, learned, shots, seed, progress).rows(categories)
    if json_file is not None:
        figures = {"shots": shots, "seed": seed, "limit": limit, "ways": [asdict(row) for row in rows]}
        write_json(json_file, figures, bundle)
    Console().print(ablation_table(rows))
