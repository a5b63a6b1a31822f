"""``python -m models free-images``: photographs and textures whose licence is free."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from edge.errors import EdgeError
from models.data.sheets import write_sheet


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="PNG file for a contact sheet.")
def command(out: Path | None) -> None:
    """Download the free images that products are made from, and list them."""
    from models.data.free_images import contact_sheet, free_images, free_packages

    try:
        packages = free_packages()
        images = free_images(packages)
        counts = Counter((image.package, image.kind) for image in images)
        for package in packages:
            surfaces, objects = (counts[package.name, kind] for kind in ("surface", "object"))
            click.echo(
                f"{package.name} {package.version} ({package.bytes / 1e6:.0f} MB, {package.licence}): "
                f"{surfaces} surfaces, {objects} objects"
            )
        click.echo(f"{len(images)} images")
        if out is not None:
            write_sheet(out, contact_sheet(images))
    except EdgeError as error:
        raise click.ClickException(str(error)) from error
