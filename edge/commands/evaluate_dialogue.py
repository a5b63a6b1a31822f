"""``evaluate-dialogue``: how good answers are about parts whose truth is known."""

from __future__ import annotations

from pathlib import Path

import click

from edge.terminal.options import (
    accept_failed_parity_option,
    bundle_option,
    datasets_argument,
    json_option,
    precision_option,
    seeds_option,
)
from edge.terminal.variadic import VariadicCommand


@click.command(name="evaluate-dialogue", cls=VariadicCommand)
@datasets_argument
@click.option(
    "--shots",
    default=4,
    show_default=True,
    metavar="K",
    type=click.IntRange(min=0),
    help="Number of references; 0: by the text map alone.",
)
@seeds_option
@click.option(
    "--parts",
    default=6,
    show_default=True,
    metavar="N",
    type=click.IntRange(min=2),
    help="Parts of each category to ask about; half of them are good.",
)
@json_option
@precision_option
@accept_failed_parity_option
@bundle_option
def command(
    datasets: tuple[Path, ...],
    shots: int,
    seeds: tuple[int, ...],
    parts: int,
    json_file: Path | None,
    precision: str,
    accept_failed_parity: bool,
    bundle: str | None,
) -> None:
    """Ask questions about labelled parts and score the answers.

    A DATASET is what `evaluate` takes; parts without a mask are left out. Each part is inspected, and
    ten questions are asked about it: whether there is an anomaly, how many, where, how large, how sure,
    of what shape, whether the part is acceptable, what to do, whether a place has a defect, and in
    which half. The wording of the questions was never used in training.

    An answer is correct if it agrees with the mask. Agreement with the inspection itself is counted
    separately.

    \b
    Example:
      anomalygpt-edge evaluate-dialogue mvtec/bottle mvtec/pill --shots 4 --seeds 0 --json out.json
    """
    from rich.console import Console

    from edge.evaluation.dataset import find_categories
    from edge.evaluation.dialogue import interview_parts
    from edge.evaluation.dialogue_report import dialogue_json, dialogue_table
    from edge.evaluation.reading import opened_runner
    from edge.evaluation.report import check_target, write_json
    from edge.terminal.opened_engine import opened_engine
    from edge.terminal.progress import progress_bar

    if json_file is not None:
        check_target(json_file)
    categories = find_categories(datasets)
    with (
        opened_engine(bundle, precision, accept_failed_parity=accept_failed_parity) as (opened, engine),
        opened_runner(opened) as runner,
        progress_bar() as progress,
    ):
        result = interview_parts(
            categories,
            engine,
            opened,
            runner,
            shots=shots,
            seeds=tuple(dict.fromkeys(seeds)),
            parts=parts,
            progress=progress,
        )
    if json_file is not None:
        write_json(json_file, dialogue_json(result), opened)
    Console().print(dialogue_table(result))
