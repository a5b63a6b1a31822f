"""``run``: a station at work."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edge.cameras import CameraSettings
    from edge.config import StationConfig
    from edge.inspection import Inspection
    from edge.station.judging import Judged

log = logging.getLogger(__name__)


@click.command(name="run")
@click.argument("station", metavar="STATION.yaml", type=click.Path(path_type=Path))
@click.option("--plain", is_flag=True, help="Print only the log, without the live table, even in a terminal.")
@click.option("--again", is_flag=True, help="Watched folders: also inspect files that were inspected before.")
@click.option("--verbose", is_flag=True, help="Log every inspection.")
@click.pass_context
def command(ctx: click.Context, station: Path, plain: bool, again: bool, verbose: bool) -> None:
    """Run a station until its camera ends, or until Ctrl-C or SIGTERM.

    At the end, the parts in the queue are inspected, recorded, and published or kept in the outbox. Parts
    that are not inspected after 20 seconds, whatever hangs, become errors. In a terminal a table shows the
    parts; otherwise the log shows what changes.

    \b
    Exit codes:
      0    the camera came to its end, or SIGTERM
      1    an error: the station could not start or go on, a full disk cost inspections, or it had to
           be ended by force
      130  Ctrl-C
    """
    from rich.console import Console

    from edge.config import load_station
    from edge.exit_codes import EXIT_ERROR, EXIT_INTERRUPTED
    from edge.station.opening import opened_station
    from edge.terminal.ending import ended_in_time
    from edge.terminal.live import PartsView
    from edge.terminal.log_lines import logging_to
    from edge.terminal.signals import stop_on_signals
    from edge.terminal.waiting import opened_visibly

    config = load_station(station)
    if again:
        config = _again(config)
    console = Console()
    live = console.is_terminal and not plain
    view = PartsView(console, f"{config.station.name} · {config.product}", footer=lambda: f" {opened.health}")
    listeners = ([view.add] if live else []) + ([_log_part] if verbose else [])
    hearers = ([view.hear] if live else []) + ([_log_words] if verbose else [])
    with ExitStack() as stack:
        stack.enter_context(logging_to(console if live else None))
        ending = stack.enter_context(ended_in_time())
        opening = opened_station(config, listeners, hearers)
        opened = stack.enter_context(
            opened_visibly("opening the station", opening, console) if live else opening
        )
        wish = stack.enter_context(stop_on_signals(opened.stop))
        ending.of(opened)
        log.info(
            "%s inspects %s, decided by %s", config.station.name, config.product, config.verdict.decided_by
        )
        if live:
            view.count(lambda: opened.counters)
            stack.enter_context(view.live())
        counters = opened.run()
    click.echo(f"{'stopped: ' if wish.signal else ''}{counters}")
    if opened.lost:
        ctx.exit(EXIT_ERROR)
    if wish.interrupted:
        ctx.exit(EXIT_INTERRUPTED)


def _again(config: StationConfig) -> StationConfig:
    def anew(camera: CameraSettings) -> CameraSettings:
        return camera.model_copy(update={"again": True}) if camera.kind == "folder" else camera

    single = None if config.camera is None else anew(config.camera)
    return config.model_copy(
        update={"camera": single, "cameras": tuple(anew(camera) for camera in config.cameras)}
    )


def _log_part(judged: Judged) -> None:
    inspection = judged.inspection
    what = inspection.error or f"score {inspection.score:.2f} {inspection.location}".rstrip()
    log.info("%d %s %s: %s", inspection.seq, inspection.part_id, inspection.verdict.value, what)


def _log_words(inspection: Inspection) -> None:
    log.info("%d %s: %s", inspection.seq, inspection.part_id, inspection.words)
