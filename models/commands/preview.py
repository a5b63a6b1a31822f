"""``python -m models preview``: simulated defects on images of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from edge.errors import EdgeError
from models.data.preview import contact_sheet, read_images
from models.data.sheets import write_sheet


@click.command()
@click.argument("source", metavar="IMAGE_OR_FOLDER", type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="PNG file to write.")
@click.option(
    "--columns",
    default=6,
    show_default=True,
    type=click.IntRange(1, 40),
    help="Number of defects of each kind.",
)
@click.option(
    "--images", default=6, show_default=True, type=click.IntRange(1), help="Number of good images to use."
)
@click.option(
    "--tile", default=130, show_default=True, type=click.IntRange(64, 1024), help="Size of a tile in pixels."
)
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same sheet.")
def command(source: Path, out: Path, columns: int, images: int, tile: int, seed: int) -> None:
    """Draw every kind of simulated defect on the good parts of IMAGE_OR_FOLDER, to check them by eye."""
    try:
        write_sheet(out, contact_sheet(read_images(source, images), columns, seed, tile))
    except EdgeError as error:
        raise click.ClickException(str(error)) from error
