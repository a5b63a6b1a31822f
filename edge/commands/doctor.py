"""``doctor``: what is present, missing or wrong, and the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.terminal.options import bundle_option, data_dir_option

if TYPE_CHECKING:
    from edge.station.check_result import CheckResult

_STYLES = {"ok": ("ok", "green"), "warning": ("look", "yellow"), "wrong": ("WRONG", "red")}


@click.command(name="doctor")
@click.argument("station", metavar="[STATION.yaml]", required=False, type=click.Path(path_type=Path))
@bundle_option
@data_dir_option
@click.pass_context
def command(ctx: click.Context, station: Path | None, bundle: str | None, data_dir: Path | None) -> None:
    """Report what is missing or wrong on this machine, and what to do about it.

    With a station file, its product, camera and broker are checked too. A running station is not disturbed.

    \b
    Exit codes:
      0  nothing is wrong
      1  something is; each wrong thing comes with its remedy
    """
    from edge import paths
    from edge.config import load_station
    from edge.exit_codes import EXIT_ERROR
    from edge.station.check_result import CheckStatus
    from edge.station.doctor import examine

    config = None if station is None else load_station(station)
    if config is not None:
        data_dir = data_dir or config.data_dir
        bundle = bundle or (None if config.bundle is None else str(config.bundle))
    wrong = 0
    for finding in examine(paths.data_dir(data_dir), bundle, config):
        wrong += finding.mark is CheckStatus.WRONG
        _print(finding)
    if wrong:
        click.echo(f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong", err=True)
        ctx.exit(EXIT_ERROR)


def _print(finding: CheckResult) -> None:
    word, colour = _STYLES[finding.mark.value]
    click.echo(f"{click.style(f'{word:5}', fg=colour)}  {finding.what:<10}  {finding.detail}")
    if finding.remedy:
        click.echo(f"{'':19}{finding.remedy}")
