"""Writing the contact sheets that people look at."""

from __future__ import annotations

from pathlib import Path

import click

from edge.image_bytes import write_png
from edge.image_types import Image


def write_sheet(out: Path, sheet: Image) -> None:
    """Writes a PNG, whole or not at all, and says so.

    Args:
        out: the file.
        sheet: uint8 (H, W, 3).

    Raises:
        click.ClickException: the file cannot be written.
    """
    try:
        write_png(out, sheet)
    except OSError as error:
        raise click.ClickException(f"Cannot write {out}: {error.strerror}.") from error
    click.echo(f"{out}: {sheet.shape[1]}x{sheet.shape[0]} pixels")
