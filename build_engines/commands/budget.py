"""``python -m build_engines budget``: does a station fit on a small board?"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from edge.choices import Precision

if TYPE_CHECKING:
    from rich.table import Table

    from build_engines.memory.budget import Budget, BudgetPart


@click.command(name="budget")
@click.argument("bundle_name", metavar="BUNDLE")
@click.option(
    "--precision",
    type=click.Choice(get_args(Precision)),
    help="Precision of the encoder.  [default: fp16 if the bundle has it, else fp32]",
)
@click.option(
    "--board",
    "board_gib",
    default=7.4,
    show_default=True,
    type=click.FloatRange(min=1),
    metavar="GIB",
    help="Memory of the board; on an Orin Nano of 8 GB, Linux sees 7.4.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures to this file.")
def command(bundle_name: str, precision: Precision | None, board_gib: float, json_file: Path | None) -> None:
    """Show how much of a board's memory a station with BUNDLE needs, item by item.

    Computed from the files, the shapes in the graph and a formula for each item; what can be measured on this
    machine is measured and shown beside it. Exit code 1 if it does not fit.
    """
    from rich.console import Console

    from build_engines.memory.budget import GIB, budget
    from edge.bundle import Bundle
    from edge.errors import EngineError
    from edge.evaluation.report import check_target, write_json

    if json_file is not None:
        check_target(json_file)
    bundle = Bundle.resolve(bundle_name)
    graphs = {str(each): each for each in bundle.manifest.graphs}
    chosen = precision or graphs.get("fp16", "fp32")
    with Console(stderr=True).status(bundle.name) as status:
        found = budget(
            bundle, chosen, int(board_gib * GIB), lambda what: status.update(f"{bundle.name}: {what}")
        )
    console = Console()
    console.print(budget_table(found))
    if json_file is not None:
        write_json(json_file, dataclasses.asdict(found), bundle)
    if min(found.left, found.left_compiling) < 0:
        raise EngineError(
            f"The station does not fit on a board of {board_gib:g} GiB.",
            "Use a smaller encoder, another precision or a smaller input size; turn off the desktop.",
        )


def budget_table(found: Budget) -> Table:
    """The parts in MB of 10^6 bytes."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, title=f"{found.bundle}, encoder in {found.precision}")
    table.add_column("part")
    table.add_column("MB", justify="right")
    table.add_column("here", justify="right")
    table.add_column("from")
    _add(table, "a station at work", found.running, found.board, found.left)
    _add(table, "while compile builds the engine", found.compiling, found.board, found.left_compiling)
    return table


def _add(table: Table, title: str, parts: tuple[BudgetPart, ...], board: int, left: int) -> None:
    table.add_row(f"[bold]{title}")
    for part in parts:
        here = "" if part.measured is None else _mb(part.measured)
        table.add_row(f"  {part.name}", _mb(part.bytes), here, part.how)
    table.add_row("  sum", _mb(board - left), "", "")
    table.add_row(f"  left of {_mb(board)}", _mb(left), "", "", end_section=True)


def _mb(count: int) -> str:
    return f"{count / 1e6:,.0f}" if abs(count) >= 10e6 else f"{count / 1e6:.1f}"
