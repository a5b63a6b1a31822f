"""``ask``: an inspection in words, and answers to questions about it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.terminal.options import (
    accept_failed_parity_option,
    bundle_option,
    data_dir_option,
    precision_option,
    product_option,
    runtime_option,
    view_option,
)

if TYPE_CHECKING:
    from edge.inspection import Inspection

_PROMPT = "> "
_FAREWELLS = ("", "quit", "exit")


@click.command(name="ask")
@click.argument("image", metavar="IMAGE", type=click.Path(path_type=Path))
@product_option
@view_option
@click.option(
    "--question",
    "questions",
    multiple=True,
    metavar="TEXT",
    help="Ask this question and exit; may be repeated.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one line of JSON with the inspection and the answers."
)
@runtime_option
@precision_option
@accept_failed_parity_option
@bundle_option
@data_dir_option
def command(
    image: Path,
    product: str,
    view: str | None,
    questions: tuple[str, ...],
    as_json: bool,
    runtime: str,
    precision: str,
    accept_failed_parity: bool,
    bundle: str | None,
    data_dir: Path | None,
) -> None:
    """Inspect an image and ask the language model about it: where, how large, how sure.

    The verdict and the model's sentence come first. Then it answers questions, each in the context of the
    previous ones: where the defect is, how large, how many, how sure it is, what to do. An empty
    line, `quit` or Ctrl-D ends the dialogue.

    Nothing said here changes the verdict, a setting, or what is said about the next part.

    \b
    Examples:
      anomalygpt-edge ask part.png --product bottle
      anomalygpt-edge ask part.png --product bottle --question "Where is it?" --question "How large is it?"
    """
    from edge import paths
    from edge.cameras import read_image
    from edge.station.conversation import opened_conversation
    from edge.station.products import Products
    from edge.terminal.image_files import file_frame
    from edge.terminal.opened_engine import opened_engine
    from edge.terminal.waiting import opened_visibly

    products, name = Products(paths.data_dir(data_dir)).of_view(product, view)
    found = products.get(name)
    frame = file_frame(image, read_image(image))
    with (
        opened_engine(bundle, precision, runtime, accept_failed_parity=accept_failed_parity) as (
            opened,
            engine,
        ),
        opened_visibly(
            "starting the language model", opened_conversation(engine, opened, found, frame)
        ) as conversation,
    ):
        inspection = conversation.inspection
        if as_json:
            answers = [{"question": q, "answer": conversation.ask(q)} for q in questions]
            click.echo(json.dumps(inspection.to_dict() | {"answers": answers}, ensure_ascii=False))
            return
        click.echo(_verdict_line(inspection))
        click.echo(inspection.words)
        for question in _asked(questions):
            click.echo(conversation.ask(question))


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
            line = input(prompt) if prompt else _piped_line()
        except EOFError:
            return
        if line.strip().lower() in _FAREWELLS:
            return
        yield line.strip()


def _piped_line() -> str:
    """The next line, or as much of it as shows that it is too long for a question."""
    from edge.language.words import LONGEST_QUESTION

    line = sys.stdin.readline(LONGEST_QUESTION + 2)
    if not line:
        raise EOFError
    return line


def _verdict_line(inspection: Inspection) -> str:
    from edge.plain_text import one_line
    from edge.terminal.live import score_text

    verdict, score = inspection.verdict.value.upper(), score_text(inspection.score or 0.0)
    line = f"{verdict:5}  {one_line(inspection.part_id)}  anomaly {inspection.p_anomaly:.3f}  score {score}"
    review = "  (the calibrated score says otherwise: have a look)" if inspection.review else ""
    return f"{line}  {inspection.location}".rstrip() + review
