"""``check``: whether a station file can be used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edge.config import QueueSettings, VerdictSettings


@click.command(name="check")
@click.argument("station", metavar="STATION.yaml", type=click.Path(path_type=Path))
def command(station: Path) -> None:
    """Check a station file: every mistake with line, key, value and reason.

    `doctor` also checks whether the camera, bundle and broker that it names are available. The product's
    description is checked if the product is already enrolled.

    \b
    Exit codes:
      0  the file can be used
      1  it cannot
    """
    from edge.config import load_station
    from edge.station.product import check_description
    from edge.station.products import Products
    from edge.station.seeing import views_by_camera

    config = load_station(station)
    products = Products(config.data_dir)
    description, seen = "", dict[str, tuple[str, ...]]()
    if config.product in products.names():
        views = products.views(config.product)
        description = check_description(products.get(config.product).description)
        if len(views) > 1:
            plc_names_parts = config.part_ids.source == "plc"
            seen = views_by_camera(config.product, [*views], config.all_cameras, plc_names_parts)
    brokers = ", ".join(str(broker) for broker in config.messaging.brokers) or "none"
    cameras = ", ".join(
        f"{camera.name} ({', '.join((camera.kind, *seen.get(camera.name, ())))})"
        for camera in config.all_cameras
    )
    click.echo(
        f"{station}: ok\n"
        f"  station   {config.station.site}/{config.station.line}/{config.station.name}\n"
        f"  product   {config.product}{f' ({description})' if description else ''}\n"
        f"  camera    {cameras}\n"
        f"  queue     {_queue(config.queue)}\n"
        f"  verdict   {_verdict(config.verdict)}\n"
        f"  data      {config.data_dir}\n"
        f"  broker    {brokers}"
    )


def _queue(queue: QueueSettings) -> str:
    if queue.size == 0:
        return "none: the camera is asked for a part when the one before is judged"
    return f"{queue.size} images, then {queue.policy}"


def _verdict(verdict: VerdictSettings) -> str:
    if verdict.decided_by == "calibration":
        return "by calibration"
    instead = "an error" if verdict.on_language_error == "error" else "the calibrated verdict, up for review"
    return f"by {verdict.decided_by}; without an answer in {verdict.timeout_s:g} s {instead}"
