"""``inspect``: verdicts on image files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.choices import DecidedBy
from edge.terminal.options import (
    accept_failed_parity_option,
    bundle_option,
    data_dir_option,
    decided_by_option,
    images_argument,
    precision_option,
    runtime_option,
    view_option,
)

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from edge.inspection import Inspection
    from edge.station.deciding import Decider
    from edge.station.judging import Judge, Judged
    from edge.station.product import Product
    from edge.vision.engine import Engine

EXIT_SOME_ERRORS = 3

_PATIENCE_S = 60.0  # No line waits here, and the machine may be busy.


@click.command(name="inspect")
@click.option("--product", metavar="NAME", help="The product's name.")
@view_option
@click.option(
    "--zero-shot",
    is_flag=True,
    help="Inspect without a product, by the text map alone: a first look before anything is enrolled.",
)
@images_argument
@click.option(
    "--json", "as_json", is_flag=True, help="Print one line of JSON per image instead of a table row."
)
@click.option(
    "--overlay",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write each image with its anomaly map and verdict to this folder.",
)
@decided_by_option
@runtime_option
@precision_option
@accept_failed_parity_option
@bundle_option
@data_dir_option
@click.pass_context
def command(
    ctx: click.Context,
    product: str | None,
    view: str | None,
    zero_shot: bool,
    images: tuple[Path, ...],
    as_json: bool,
    overlay: Path | None,
    decided_by: DecidedBy,
    runtime: str,
    precision: str,
    accept_failed_parity: bool,
    bundle: str | None,
    data_dir: Path | None,
) -> None:
    """Inspect image files as the station would.

    Nothing is recorded or published. An IMAGE is a file or a folder of files. A file that cannot be inspected
    gets the verdict `error`, and the other files are still inspected. If the language model decides, an NG
    part comes with a sentence; if it gives no verdict, the calibrated score decides with `review` true, and a
    warning says why.

    \b
    Exit codes:
      0   every image has a verdict, ok or ng
      1   nothing was inspected: the error says why and what to do
      3   at least one image has the verdict error
    """
    from edge import paths
    from edge.inspection import Verdict
    from edge.station.deciding import opened_decider
    from edge.station.products import Products
    from edge.terminal.image_files import frames, image_files
    from edge.terminal.opened_engine import opened_engine
    from edge.terminal.waiting import opened_visibly

    if not images:
        raise click.UsageError("Give at least one IMAGE.")
    if (product is None) != zero_shot:
        raise click.UsageError("Give --product NAME or --zero-shot.")
    found = None
    if product is not None:
        whole = Products(paths.data_dir(data_dir))
        products, name = whole.of_view(product, view)
        found = products.get(name)
        if view is None and (others := [*whole.views(product)][1:]):
            click.echo(
                f"warning: only the main view is looked at; {product} has also: {', '.join(others)} (--view)",
                err=True,
            )
    files = image_files(images)
    errors = stood_in = 0
    description = found.description if found else ""
    with (
        opened_engine(bundle, precision, runtime, accept_failed_parity=accept_failed_parity) as (
            opened,
            engine,
        ),
        opened_visibly(
            "starting the language model",
            opened_decider(
                opened,
                decided_by,
                description=description,
                calibration_stands_in=True,
                timeout_s=_PATIENCE_S,
                patience_s=_PATIENCE_S,
            ),
        ) as decider,
    ):
        judge = _judge(engine, opened, found, decider)
        hidden = judge.blind_spot()
        if hidden is not None:
            click.echo(f"warning: {hidden}", err=True)
        for frame in frames(files):
            judged = judge.judge(frame)
            inspection = judged.inspection if decider is None else _with_words(judged, decider)
            errors += inspection.verdict is Verdict.ERROR
            if judged.language_error and not stood_in:
                click.echo(f"warning: the calibrated score decides: {judged.language_error}", err=True)
            stood_in += bool(judged.language_error)
            click.echo(inspection.to_json() if as_json else _row(inspection, judged.language_error))
            if overlay is not None and judged.image is not None:
                _write_overlay(overlay, judged)
    if errors:
        click.echo(f"{errors} of {len(files)} images could not be inspected", err=True)
        ctx.exit(EXIT_SOME_ERRORS)


def _with_words(judged: Judged, decider: Decider) -> Inspection:
    """The inspection, with its sentence where it is NG; the verdict stands also where there is none."""
    from dataclasses import replace

    from edge.errors import LanguageError
    from edge.inspection import Verdict

    inspection = judged.inspection
    if judged.dialogue is None:
        return inspection
    if inspection.verdict is Verdict.NG:
        try:
            inspection = replace(inspection, words=decider.sentence(judged.dialogue))
        except LanguageError as error:
            click.echo(f"{inspection.part_id} has no sentence: {error}", err=True)
    decider.release(judged.dialogue)
    return inspection


def _judge(engine: Engine, bundle: Bundle, product: Product | None, decider: Decider | None) -> Judge:
    """The judge of a product, or of parts of which nothing was learned."""
    from edge.station.judging import Judge
    from edge.station.opening import open_judge
    from edge.vision.inspector import Inspector
    from edge.vision.zero_shot import zero_shot_memory

    if product is not None:
        return open_judge(engine, bundle, product, decider=decider)
    inspector = Inspector(engine, zero_shot_memory(engine, bundle))
    return Judge(inspector, station="", product="", bundle=bundle.id, decider=decider)


def _row(inspection: Inspection, language_error: str) -> str:
    from edge.plain_text import one_line
    from edge.terminal.live import score_text

    part_id = one_line(inspection.part_id)
    if inspection.error:
        return f"ERROR  {part_id}  {one_line(inspection.error)}"
    verdict, score = inspection.verdict.value.upper(), score_text(inspection.score or 0.0)
    total_ms = inspection.latency_ms["total"]
    row = f"{verdict:5}  {part_id}  score {score}  p {inspection.p_value:.3f}  {total_ms:.0f} ms"
    row = f"{row}  {inspection.location}".rstrip()
    if inspection.review:
        no_verdict, other = "the language model gave no verdict", "the language model and the score disagree"
        row += f"  (look at it: {no_verdict if language_error else other})"
    return f"{row}\n       {one_line(inspection.words)}" if inspection.words else row


def _write_overlay(folder: Path, judged: Judged) -> None:
    from edge.records import write_image

    picture = judged.picture()
    assert picture is not None
    name = judged.inspection.part_id.strip("/").replace("/", "_")
    write_image(folder / f"{name}.png", picture)
