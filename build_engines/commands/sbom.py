"""``python -m build_engines sbom``: what a bundle is made of, for whoever has to know."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="sbom")
@click.argument("bundle_name", metavar="BUNDLE")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file.  [default: sbom.cdx.json beside the bundle's manifest]",
)
def command(bundle_name: str, out: Path | None) -> None:
    """Write the bill of materials of BUNDLE in CycloneDX 1.6, as `pack` does for every bundle.

    It lists the bundle's files, the weights that they were made from with source, version, licence and
    sha256, and the Python packages installed on this machine. Run it on the station's machine to list the
    packages there.
    """
    from build_engines.assembly.sbom import write_sbom
    from edge.bundle import Bundle

    click.echo(write_sbom(Bundle.resolve(bundle_name), out))
