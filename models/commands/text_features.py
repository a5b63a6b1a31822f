"""``python -m models text-features``: what sentences about good and bad parts mean, computed once."""

from __future__ import annotations

from pathlib import Path

import click

from edge.errors import EdgeError


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write.  [default: the committed one]",
)
def command(out: Path | None) -> None:
    """Compute the text features with MiniLM and write them with their provenance."""
    from models.heads.text_features import FILE, write_text_features

    target = out or FILE
    try:
        cosine = write_text_features(target)
    except EdgeError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{target}: normal and abnormal, cosine {cosine:.3f} to each other")
