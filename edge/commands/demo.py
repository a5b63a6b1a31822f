"""``demo``: the main job on real images, from nothing to verdicts on MQTT, with one command."""

from __future__ import annotations

from pathlib import Path

import click

from edge.terminal.options import bundle_option


@click.command(name="demo")
@click.option(
    "--parts", type=click.IntRange(min=1), default=60, show_default=True, help="How many parts to inspect."
)
@click.option(
    "--images",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Your own images instead of the solar cells: MVTec's layout, or a plain folder whose first "
    "files by name show good parts.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True, max=1000),
    metavar="HZ",
    help="At most so many parts per second; one comes when the one before has its verdict, never "
    "earlier.  [default: 4]",
)
@click.option(
    "--camera",
    type=click.Choice(["folder", "gige"]),
    default="folder",
    show_default=True,
    help="gige: the parts come through a simulated GigE Vision camera on this machine's loopback (127.0.0.1, "
    "UDP port 3956), triggered part by part over MQTT. Needs libaravis and no rights.",
)
@click.option("--no-color", is_flag=True, help="Plain text.")
@bundle_option
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where the demo's station lives.  [default: demo in the cache]",
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

    Learns a product from a handful of good parts, runs a station on the others, publishes each verdict
    over MQTT and hears it come back, and compares the verdicts with what is known of the parts. Where
    the bundle has a language model it decides, says one sentence about each alarm, and answers three
    questions about the worst part at the end; where it does not run here, the calibrated score decides.

    Fetches the model and the images on the first run (180 MB). The solar cells of elpv-dataset are
    licensed CC BY-NC-SA 4.0: not for commercial use. Ctrl-C ends it cleanly at any point.
    """
    from edge import paths
    from edge.demo.show import Show
    from edge.exit_codes import EXIT_INTERRUPTED

    folder = paths.cache_dir() / "demo" if data_dir is None else paths.absolute(data_dir)
    show = Show(folder, no_color=no_color, gige=camera == "gige")
    if show.play(parts=parts, images=images, rate_hz=rate, bundle_name=bundle):
        ctx.exit(EXIT_INTERRUPTED)
