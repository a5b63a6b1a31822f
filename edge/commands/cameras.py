"""``cameras``: what is on the network, and setting one up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.errors import CameraError

if TYPE_CHECKING:
    from edge.cameras import Camera, Frame
    from edge.image_types import Image

_station = click.argument("station", metavar="STATION.yaml", type=click.Path(path_type=Path))
_wait = click.option(
    "--wait",
    "wait_s",
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for an image.",
)
_camera = click.option("--camera", "name", metavar="NAME", help="Which camera, if the station has several.")
_BAR = " ▁▂▃▄▅▆▇█"


@click.group(name="cameras", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List the GigE Vision cameras; take an image, focus, measure, choose a lens."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_all)


@command.command(name="list")
def list_all() -> None:
    """List the GigE Vision cameras on every network of this machine (the default).

    Broadcasts a search; a camera in another subnet may not answer it.
    """
    from edge.cameras.gige import list_cameras

    listed = list_cameras()
    if not listed:
        raise CameraError("No GigE Vision camera answers.", "Check power, cable and network interface.")
    rows = [("SERIAL", "MAC", "IP", "VENDOR", "MODEL", "REACHABLE")]
    for entry in listed:
        device = entry.device
        rows.append(
            (device.serial, device.mac, device.address, device.vendor, device.model, entry.trouble or "yes")
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@command.command(name="host")
@click.option("--interface", metavar="NAME", help="The network interface that the cameras are connected to.")
@click.pass_context
def host(ctx: click.Context, interface: str | None) -> None:
    """Check this machine for GigE Vision, and give a remedy for each fault. Exit code 1 if there is one."""
    from edge.cameras.gige_host import check_host

    checks = check_host(interface)
    for check in checks:
        word = click.style("ok   ", fg="green") if check.good else click.style("look ", fg="yellow")
        click.echo(f"{word}  {check.what:<16}  {check.found}")
        if check.remedy:
            click.echo(f"{'':25}{check.remedy}")
    ctx.exit(0 if all(check.good for check in checks) else 1)


@command.command(name="snap")
@_station
@_camera
@click.argument("png", default="snap.png", type=click.Path(path_type=Path, dir_okay=False))
@_wait
def snap(station: Path, name: str | None, png: Path, wait_s: float) -> None:
    """Take one image with a station's camera and write it to PNG (default: snap.png)."""
    with _opened(station, name) as camera:
        frame = _good_frame(camera, wait_s)
        detail = camera.status.detail
    assert frame.image is not None
    _write_png(png, frame.image)
    click.echo(f"{png}: {frame.image.shape[1]}x{frame.image.shape[0]} px from {detail}")


@command.command(name="tune")
@_station
@_camera
@click.option(
    "--count", type=click.IntRange(min=1), help="Stop after this many images.  [default: at Ctrl-C]"
)
@click.option(
    "--png",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the newest image to this file each time.",
)
@_wait
def tune(station: Path, name: str | None, count: int | None, png: Path | None, wait_s: float) -> None:
    """Show focus, exposure and histogram of each new image while you adjust the lens.

    Adjust until sharpness is highest; keep saturated near 0 % on a good part.
    """
    from edge.cameras.figures import measure_picture

    best = 0.0
    with _opened(station, name) as camera:
        shown = 0
        while count is None or shown < count:
            image = _good_frame(camera, wait_s).image
            assert image is not None
            if png is not None:
                _write_png(png, image)
            figures = measure_picture(image)
            best = max(best, figures.sharpness)
            bars = figures.histogram.reshape(32, 8).sum(axis=1)
            picture = "".join(_BAR[int(8 * bar / bars.max() + 0.5)] for bar in bars)
            share = figures.sharpness / best if best else 1.0
            click.echo(
                f"sharpness {figures.sharpness:8.1f} ({share:4.0%} of best)  mean {figures.mean:5.1f}  "
                f"dark {figures.dark:6.2%}  saturated {figures.saturated:6.2%}  |{picture}|"
            )
            shown += 1


@command.command(name="bench")
@_station
@_camera
@click.option(
    "--seconds", default=10.0, show_default=True, type=click.FloatRange(min=0.1), help="How long to read."
)
def bench(station: Path, name: str | None, seconds: float) -> None:
    """Read a station's camera as fast as it sends, and count the frames."""
    from edge.cameras import EndOfStream

    with _opened(station, name) as camera:
        _good_frame(camera, 10)
        before, received = camera.status, 0
        began, cpu = time.monotonic(), time.process_time()
        while time.monotonic() - began < seconds:
            try:
                frame = camera.read(timeout_s=0.5)
            except EndOfStream:
                break
            received += frame.image.nbytes if frame is not None and frame.image is not None else 0
        took, cpu = time.monotonic() - began, time.process_time() - cpu
        after = camera.status
    click.echo(
        f"{(after.frames - before.frames) / took:.1f} images/s  {received / took / 1e6:.1f} MB/s  "
        f"CPU {cpu / took:.0%} of one core  errors {after.errors - before.errors}  "
        f"missed {after.missed - before.missed}  losses {after.losses - before.losses}"
    )


@command.command(name="field")
@click.option("--defect", "defect_mm", required=True, type=float, metavar="MM", help="The smallest defect.")
@click.option("--part", "part_mm", required=True, type=float, metavar="MM", help="The part's longest side.")
@click.option(
    "--input", "input_px", default=448, show_default=True, metavar="PX", help="The encoder's input size."
)
@click.option(
    "--patch", "patch_px", default=14, show_default=True, metavar="PX", help="The encoder's patch size."
)
@click.option("--sensor", "sensor_mm", type=float, metavar="MM", help="Length of the sensor along the part.")
@click.option("--distance", "distance_mm", type=float, metavar="MM", help="Distance from lens to part.")
def field(
    defect_mm: float,
    part_mm: float,
    input_px: int,
    patch_px: int,
    sensor_mm: float | None,
    distance_mm: float | None,
) -> None:
    """Choose the field of view so that the smallest defect spans at least two patches."""
    from edge.cameras.lens import widest_field

    found = widest_field(defect_mm, part_mm, input_px, patch_px, sensor_mm, distance_mm)
    click.echo(f"one image may cover    {found.field_mm:.3g} mm (a patch sees {found.patch_mm:.3g} mm)")
    click.echo(f"the camera needs       {found.sensor_px} px across it; more brings no benefit")
    if found.images_per_part > 1:
        click.echo(f"images along the part  {found.images_per_part}")
    if found.focal_length_mm is not None:
        click.echo(f"focal length           {found.focal_length_mm:.3g} mm")


def _write_png(path: Path, image: Image) -> None:
    from edge.image_bytes import write_png

    try:
        write_png(path, image)
    except OSError as error:
        raise CameraError(f"{path} cannot be written: {error.strerror}.", "Name another file.") from error


@contextmanager
def _opened(station: Path, name: str | None) -> Iterator[Camera]:
    from edge.cameras import create_camera
    from edge.config import load_station

    cameras = {camera.name: camera for camera in load_station(station).all_cameras}
    known = ", ".join(cameras)
    if name is None and len(cameras) > 1:
        raise CameraError(f"{station} has several cameras: {known}.", "Choose one with --camera.")
    settings = cameras.get(name or known)
    if settings is None:
        raise CameraError(f"{station} has no camera {name}.", f"It has {known}.")
    with create_camera(settings) as camera:
        yield camera


def _good_frame(camera: Camera, wait_s: float) -> Frame:
    """The camera's next whole image.

    Raises:
        CameraError: none came in time, or the frame is an error.
    """
    from edge.cameras import EndOfStream

    try:
        frame = camera.read(timeout_s=wait_s)
    except EndOfStream:
        raise CameraError(
            f"Camera {camera.name} has shown its last image.", "Set camera.loop: true."
        ) from None
    if frame is None:
        raise CameraError(
            f"Camera {camera.name}: no image within {wait_s:g} s. {camera.status.detail}".rstrip(),
            "Check the camera, its cable and its trigger.",
        )
    if frame.error:
        raise CameraError(f"Camera {camera.name}: {frame.error}")
    return frame
