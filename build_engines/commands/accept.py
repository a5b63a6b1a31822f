"""``python -m build_engines accept``: what only the target can prove, as one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.choices import Precision

if TYPE_CHECKING:
    from build_engines.tensorrt.acceptance import AcceptanceStep

_STYLES = {"done": "green", "failed": "red", "not possible here": "yellow"}


@click.command(name="accept")
@click.argument("bundle_name", metavar="BUNDLE")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16", "int8-symmetric"]),
    help="Precision of the encoder.  [default: fp16 if the bundle has it, else fp32]",
)
@click.option("--batch", default=1, show_default=True, type=click.IntRange(1, 64), help="As for `compile`.")
@click.option(
    "--images",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Compare on real images: a category in MVTec's layout, or a folder of categories.  [default: "
    "rendered parts]",
)
@click.option(
    "--rounds",
    default=200,
    show_default=True,
    type=click.IntRange(min=10),
    help="Number of latency samples of each kind.",
)
@click.option("--device", default=0, show_default=True, type=click.IntRange(min=0), help="Number of the GPU.")
@click.option(
    "--out",
    default=Path("acceptance.md"),
    show_default=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for the report.",
)
def command(
    bundle_name: str,
    precision: Precision | None,
    batch: int,
    images: Path | None,
    rounds: int,
    device: int,
    out: Path,
) -> None:
    """Verify BUNDLE on this machine's GPU: build, run, compare with fp32, measure, report.

    On a machine without a GPU, it goes as far as it can and reports what is missing.

    \b
    Exit codes:
      0  accepted: every step was run and is within its limits
      1  not accepted: a step failed, or could not be run on this machine
    """
    from build_engines.parity import labelled
    from build_engines.tensorrt.acceptance import Acceptor
    from build_engines.tensorrt.acceptance_report import acceptance_report
    from build_engines.tensorrt.plans import PlanRequest, usual_precision
    from edge.bundle import Bundle
    from edge.errors import EngineError
    from edge.terminal.progress import progress_bar

    bundle = Bundle.resolve(bundle_name)
    products = list(labelled.rendered_set() if images is None else labelled.folder_set(images))
    with progress_bar() as progress:
        found = Acceptor(
            bundle,
            precision or usual_precision(bundle),
            products,
            wish=PlanRequest(batch=batch),
            rounds=rounds,
            device=device,
            progress=progress,
            say=_print,
        ).run()
    out.write_text(acceptance_report(found), encoding="utf-8")
    if not found.accepted:
        raise EngineError(found.verdict, f"Read {out}.")
    click.echo(f"{found.verdict} Report: {out}")


def _print(step: AcceptanceStep) -> None:
    click.echo(f"{click.style(step.outcome, fg=_STYLES[step.outcome])}: {step.name}: {step.detail}")
