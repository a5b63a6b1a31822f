"""``python -m models agreement``: do torch and llama.cpp give the same verdicts?"""

from __future__ import annotations

from pathlib import Path

import click

from edge.errors import EdgeError


@click.command()
@click.argument("preset")
@click.argument("datasets", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--shots", default=4, show_default=True, type=click.IntRange(min=1), help="Number of references."
)
@click.option("--limit", type=click.IntRange(min=1), help="Inspect at most this many images per category.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures to this file.")
def command(
    preset: str, datasets: tuple[Path, ...], shots: int, limit: int | None, json_file: Path | None
) -> None:
    """Compare torch's verdicts with llama.cpp's on the parts of DATASETS (MVTec's layout).

    \b
    Example:
      python -m models agreement dinov2-s inspection --limit 56
    """
    from edge.evaluation.dataset import find_categories
    from edge.evaluation.report import check_target, write_json
    from edge.terminal.opened_engine import opened_engine
    from edge.terminal.progress import progress_bar
    from models.dialogue.agreement import agreement

    try:
        if json_file is not None:
            check_target(json_file)
        categories = find_categories(datasets)
        if limit is not None:
            categories = [category.limited(limit) for category in categories]
        with opened_engine(preset) as (bundle, engine), progress_bar() as progress:
            found = agreement(categories, engine, bundle, shots, progress)
        if json_file is not None:
            write_json(json_file, {"shots": shots, "limit": limit, **found.figures()}, bundle)
        click.echo(str(found))
    except EdgeError as error:
        raise click.ClickException(str(error)) from error
