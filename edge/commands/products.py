"""``products``: what is enrolled, and going back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.terminal.options import data_dir_option, view_option

if TYPE_CHECKING:
    from edge.station.product import Product
    from edge.station.products import Products


@click.group(name="products", invoke_without_command=True)
@data_dir_option
@click.pass_context
def command(ctx: click.Context, data_dir: Path | None) -> None:
    """List the enrolled products; show, undo or delete one."""
    from edge import paths

    ctx.obj = paths.data_dir(data_dir)
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_products)


@command.command(name="list")
@click.pass_obj
def list_products(data_dir: Path) -> None:
    """List the enrolled products (the default)."""
    products = _products(data_dir)
    names = products.names()
    if not names:
        click.echo(f"No product is enrolled in {products.folder}.", err=True)
        return
    rows = [("PRODUCT", "VERSION", "REFERENCES", "LEARNED", "BUNDLE", "DESCRIPTION")]
    for product in (view for name in names for view in products.views(name).values()):
        version = product.version
        count = str(len(version.references))
        described = product.description if "/" not in product.name else ""
        rows.append((product.name, str(version.number), count, version.made_at, version.bundle, described))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@command.command(name="show")
@click.argument("name")
@click.pass_obj
def show_product(data_dir: Path, name: str) -> None:
    """Show a product with its versions and the location of its references; also all of its views."""
    for view in _products(data_dir).views(name).values():
        _show(view)


def _show(product: Product) -> None:
    click.echo(f"{product.name}  {product.description}".rstrip())
    click.echo(f"  folder  {product.folder}")
    for version in reversed(product.versions):
        mark = "in use" if version is product.version else ""
        click.echo(
            f"  version {version.number}  {version.made_at}  {len(version.references)} references, "
            f"rotations {version.rotations}, bundle {version.bundle}  {mark}".rstrip()
        )
    for file in product.reference_files:
        click.echo(f"  {file}")


@command.command(name="undo")
@click.argument("name")
@view_option
@click.pass_obj
def undo_product(data_dir: Path, name: str, view: str | None) -> None:
    """Undo a product's last enrollment."""
    products, key = _products(data_dir).of_view(name, view)
    product = products.undo(key)
    count = len(product.version.references)
    click.echo(f"{product.name}: version {product.version.number} is in use again ({count} references)")


@command.command(name="delete")
@click.argument("name")
@view_option
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def delete_product(data_dir: Path, name: str, view: str | None, yes: bool) -> None:
    """Delete a product with its references and all of its views, or one of its other views.

    This cannot be undone.
    """
    products, key = _products(data_dir).of_view(name, view)
    product = products.get(key)
    count = len(product.version.references)
    if not yes:
        click.confirm(f"Delete {product.name} with its {count} references in {product.folder}?", abort=True)
    products.delete(key)
    click.echo(f"{product.name} is deleted")


def _products(data_dir: Path) -> Products:
    from edge.station.products import Products

    return Products(data_dir)
