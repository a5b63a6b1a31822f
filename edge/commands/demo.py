"""``demo``: the main job on real images, from nothing to verdicts on MQTT, with one command."""

from __future__ import annotations

from pathlib import Path

import click

from edge.terminal.options import bundle_option


@click.command(name="demo")
@click.option(
    "--parts", type=click.IntRange(min=1), default=60, show_default=True, help="Number of parts to inspect."
)
@click.option(
    "--images",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Your own images instead of the solar cells: MVTec's layout, or a plain folder whose first files "
    "in alphabetical order show good parts.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True, max=1000),
    metavar="HZ",
    help="Maximum number of parts per second; a part never comes before the previous one has its verdict.  "
    "[default: 4]",
)
@click.option(
    "--camera",
    type=click.Choice(["folder", "gige"]),
    default="folder",
    show_default=True,
    help="gige: the images come from a simulated GigE Vision camera on this machine's loopback (127.0.0.1, "
    "UDP port 3956), triggered over MQTT for each part. Needs libaravis, but no special privileges.",
)
@click.option("--no-color", is_flag=True, help="Plain text without colours.")
@bundle_option
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Folder for the demo's station.  [default: demo in the cache]",
)
@click.pass_context
def command(
    ctx: click.Context,
    parts: int,
    images: Path | None,
    rate: float | None,
    camera: str,
    no_color: bool,
    bundle: str | None,
    data_dir: Path | None,
) -> None:
    """Run the whole station on real images, with one command.

    Learns a product from a handful of good parts, runs a station on the others, publishes each verdict over
    MQTT and receives it again, and compares the verdicts with the parts' labels. If the bundle has a language
    model, it decides, writes a sentence about each alarm, and at the end answers three questions about the
    worst part; if it does not run on this machine, the calibrated score decides.

    Downloads the model and the images on the first run (180 MB). The solar cells of elpv-dataset are licensed
    CC BY-NC-SA 4.0: not for commercial use. Ctrl-C stops the demo cleanly at any point.
    """
    from edge import paths
    from edge.demo.show import Show
    from edge.exit_codes import EXIT_INTERRUPTED

    folder = paths.cache_dir() / "demo" if data_dir is None else paths.absolute(data_dir)
    show = Show(folder, no_color=no_color, gige=camera == "gige")
    if show.play(parts=parts, images=images, rate_hz=rate, bundle_name=bundle):
        ctx.exit(EXIT_INTERRUPTED)
