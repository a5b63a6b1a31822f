"""``python -m models products``: a look at the products that are trained on."""

from __future__ import annotations

from pathlib import Path

import click

from edge.errors import EdgeError
from models.data.products import KINDS, ProductKind, contact_sheet, training_products
from models.data.sheets import write_sheet


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="PNG file to write.")
@click.option(
    "--count", default=24, show_default=True, type=click.IntRange(1), help="Number of products to draw."
)
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only these kinds.")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same products.")
@click.option("--held-out", is_flag=True, help="Draw the products for validation.")
def command(out: Path, count: int, kinds: tuple[ProductKind, ...], seed: int, held_out: bool) -> None:
    """Draw products used in training, with some good parts of each."""
    try:
        write_sheet(out, contact_sheet(training_products(count, seed, kinds or KINDS, held_out)))
    except EdgeError as error:
        raise click.ClickException(str(error)) from error
