"""``ask``: an inspection in words, and answers to questions about it."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.commands._options import bundle_option, data_dir_option, precision_option, product_option

if TYPE_CHECKING:
    from edge.inspection import Inspection
    from edge.language import Reading
    from edge.station.product import Product
    from edge.vision.inspector import Finding

# A conversation with a person may become longer than what a station says of a part.
_CONTEXT_TOKENS = 2048
_PROMPT = "> "
_FAREWELLS = ("", "quit", "exit")


@click.command(name="ask")
@click.argument("image", metavar="IMAGE", type=click.Path(path_type=Path))
@product_option
@click.option(
    "--question",
    "questions",
    multiple=True,
    metavar="TEXT",
    help="Ask this and end; repeat it to ask more, one after the other.",
)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON: the inspection and the answers.")
@precision_option
@bundle_option
@data_dir_option
def command(
    image: Path,
    product: str,
    questions: tuple[str, ...],
    as_json: bool,
    precision: str,
    bundle: str | None,
    data_dir: Path | None,
) -> None:
    """Inspect an image and ask the language model about it.

    The verdict and the model's sentence come first. Then it answers questions, each in the light of
    those before it: where the defect is, how large, how many, how sure it is, what to do. An empty
    line, `quit` or Ctrl-D ends the dialogue.

    Nothing that is said changes the verdict, a setting or what is said of the next part.

    \b
    Examples:
      anomalygpt-edge ask part.png --product bottle
      anomalygpt-edge ask part.png --product bottle --question "Where is it?" --question "How large is it?"
    """
    from edge import paths
    from edge.cameras import read_image
    from edge.commands._engine import opened_engine
    from edge.language import Limits, prompt_for
    from edge.language.in_process import opened_runner, read_finding
    from edge.station.product import check_learned_by
    from edge.station.products import Products
    from edge.vision.inspector import Inspector

    found = Products(paths.data_dir(data_dir)).get(product)
    shown = read_image(image)
    with opened_engine(bundle, precision) as (opened, engine):
        check_learned_by(opened.id, found)
        finding = Inspector(engine, found.memory()).inspect(shown)
    limits = Limits(context_tokens=_CONTEXT_TOKENS, dialogues=1)
    with opened_runner(opened, limits) as runner:
        reading = read_finding(runner, prompt_for(found.description), finding)
        inspection = _inspection(finding, reading, image.stem, found)
        if as_json:
            words = _joined(runner.answer(reading.dialogue))
            answers = [{"question": q, "answer": _joined(runner.ask(reading.dialogue, q))} for q in questions]
            content = dataclasses.replace(inspection, words=words).to_dict() | {"answers": answers}
            click.echo(json.dumps(content, ensure_ascii=False))
            return
        click.echo(_verdict_line(inspection))
        _say(runner.answer(reading.dialogue))
        for question in _asked(questions):
            _say(runner.ask(reading.dialogue, question))


def _asked(questions: Sequence[str]) -> Iterator[str]:
    """The questions of the command line, or else those that are typed or piped, until there is no more."""
    typed = not questions and sys.stdin.isatty()
    for question in questions or _read_lines(_PROMPT if typed else ""):
        if not typed:
            click.echo(_PROMPT + question)
        yield question


def _read_lines(prompt: str) -> Iterator[str]:
    while True:
        try:
            line = input(prompt).strip()
        except EOFError:
            return
        if line.lower() in _FAREWELLS:
            return
        yield line


def _joined(pieces: Iterable[str]) -> str:
    return "".join(pieces).strip()


def _say(pieces: Iterable[str]) -> None:
    """Shows words as they come."""
    for piece in pieces:
        click.echo(piece, nl=False)
    click.echo()


def _verdict_line(inspection: Inspection) -> str:
    from edge.commands._live import score_text

    verdict, score = inspection.verdict.value.upper(), score_text(inspection.score or 0.0)
    line = f"{verdict:5}  {inspection.part_id}  anomaly {inspection.p_anomaly:.3f}  score {score}"
    review = "  (the calibrated score says otherwise: have a look)" if inspection.review else ""
    return f"{line}  {inspection.location}".rstrip() + review


def _inspection(finding: Finding, reading: Reading, part_id: str, product: Product) -> Inspection:
    """As the station makes it where the language model decides."""
    from ulid import ULID

    from edge.inspection import Inspection, Verdict, utc_timestamp

    is_ng = reading.verdict is Verdict.NG
    return Inspection(
        id=str(ULID()),
        seq=0,
        station="",
        product=product.name,
        part_id=part_id,
        camera="file",
        captured_at=utc_timestamp(),
        verdict=reading.verdict,
        review=reading.verdict is not finding.verdict,
        p_anomaly=round(reading.p_anomaly, 4),
        score=finding.score,
        p_value=finding.p_value,
        location=finding.location if is_ng else "",
        regions=finding.regions if is_ng else (),
        bundle=product.version.bundle,
        references=len(product.version.references),
    )
