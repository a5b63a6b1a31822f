"""``anomalygpt-edge certificates``: for a broker and its clients."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Make TLS certificates for a broker and its clients.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--broker", "hosts", multiple=True, metavar="HOST", help="Name or address of the broker; may be repeated."
)
@click.option(
    "--client",
    "clients",
    multiple=True,
    metavar="NAME",
    help="User name of a client; may be repeated.",
)
@click.option("--days", type=click.IntRange(min=1), help="Validity of new certificates.  [default: 825]")
@click.option("--renew", is_flag=True, help="Issue the named certificates again.")
def command(
    folder: Path, hosts: tuple[str, ...], clients: tuple[str, ...], days: int | None, renew: bool
) -> None:
    """Make TLS certificates for a broker and its clients in FOLDER.

    Makes ca.crt, the certificate authority; broker.crt for the names and addresses of the broker; and one
    certificate for each client, all with their keys. Existing files are kept, so the same command adds a
    client later; --renew issues the named ones again with the same authority. Keep ca.key away from the line:
    whoever has it can make certificates that the broker trusts.

    Example:
      anomalygpt-edge certificates pki --broker mqtt.plant.local --broker 10.0.0.5 --client cell-3
    """
    from edge.messaging.certificates import CERTIFICATE_DAYS, issue, make_authority

    made = [make_authority(folder)]
    wanted = [("broker", hosts)] if hosts else []
    for name, names in [*wanted, *((client, ()) for client in clients)]:
        if renew or not (folder / f"{name}.crt").exists():
            made.append(issue(folder, name, names, days=days or CERTIFICATE_DAYS))
    for path in made:
        click.echo(path)
