"""``check``: whether a station file can be used."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="check")
@click.argument("station", metavar="STATION.yaml", type=click.Path(path_type=Path))
def command(station: Path) -> None:
    """Check a station file.

    Every problem comes with file, line, key, value and reason. What the file names (camera, product,
    bundle, broker) is not looked for; `doctor` does that.

    \b
    Exit codes:
      0  the file can be used
      1  it cannot
    """
    from edge.config import load_station

    config = load_station(station)
    brokers = ", ".join(str(broker) for broker in config.messaging.brokers) or "none"
    cameras = ", ".join(f"{camera.name} ({camera.kind})" for camera in config.all_cameras)
    click.echo(
        f"{station}: ok\n"
        f"  station   {config.station.site}/{config.station.line}/{config.station.name}\n"
        f"  product   {config.product}\n"
        f"  camera    {cameras}\n"
        f"  queue     {config.queue.size} images, then {config.queue.policy}\n"
        f"  data      {config.data_dir}\n"
        f"  broker    {brokers}"
    )
