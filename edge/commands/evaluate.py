"""``evaluate``: how good verdicts are on parts whose truth is known."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import get_args

import click

from edge.choices import MOST_LOOKS, RequestedLocate
from edge.terminal.options import (
    accept_failed_parity_option,
    bundle_option,
    datasets_argument,
    json_option,
    measured_decided_by_option,
    precision_option,
    runtime_option,
    seeds_option,
)
from edge.terminal.variadic import VariadicCommand


@click.command(name="evaluate", cls=VariadicCommand)
@datasets_argument
@click.option(
    "--shots",
    multiple=True,
    default=(1,),
    metavar="K...",
    type=click.IntRange(min=0),
    help="Number of references; one table for each number given; 0: by the text map alone.  [default: 1]",
)
@seeds_option
@measured_decided_by_option
@json_option
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    help="Inspect at most N images per category, for a quick look.",
)
@click.option("--whole-graph", is_flag=True, help="Encode each image again for each choice of references.")
@click.option(
    "--locate",
    "--view",
    "locate",
    type=click.Choice(get_args(RequestedLocate)),
    default="none",
    show_default=True,
    help="crop: find the part in each image, on a plain background, and cut it out; align: turn it as well; "
    "auto: whichever makes the references coincide; see `enroll`.",
)
@click.option("--detail", metavar="PX", help="Side of the smallest defect that must be seen; see `enroll`.")
@click.option(
    "--looks", type=click.IntRange(0, MOST_LOOKS), help="At most so many at each part; see `enroll`."
)
@runtime_option
@precision_option
@accept_failed_parity_option
@bundle_option
def command(
    datasets: tuple[Path, ...],
    shots: tuple[int, ...],
    seeds: tuple[int, ...],
    decided_by: str | None,
    json_file: Path | None,
    limit: int | None,
    whole_graph: bool,
    locate: RequestedLocate,
    detail: str | None,
    looks: int | None,
    runtime: str,
    precision: str,
    accept_failed_parity: bool,
    bundle: str | None,
) -> None:
    """Inspect labelled parts and score the verdicts: AUROC, accuracy, location.

    A DATASET is a folder in the layout of MVTec AD (train/good, test/good, test/<defect>,
    ground_truth/<defect>; masks may be missing), or a folder of such folders. A description.txt next to them
    says what a good part looks like. For seed S the references are
    random.Random(S).sample(sorted(train/good), K). They are enrolled, and every test image is inspected,
    exactly as on a station.

    Two verdicts are compared with the labels: the language model's, which decides, and that of the calibrated
    score. The location is scored over the alarms of the deciding verdict.

    Each test image is encoded once and matched with each choice of references. This gives the same findings
    as running the whole graph each time (--whole-graph), in a fraction of the time.

    \b
    Example:
      anomalygpt-edge evaluate mvtec/bottle mvtec/pill --shots 1 4 --seeds 0 1 2 --json out.json

    The JSON contains fractions from 0 to 1, per category and as means over the categories, and null for what
    the data cannot give. For several --shots it contains one such result for each, under "runs".
    """
    from rich.console import Console

    from edge.evaluation.dataset import find_categories
    from edge.evaluation.evaluate import EvaluationPlan, evaluate
    from edge.evaluation.reading import opened_runner
    from edge.evaluation.report import check_target, result_table, results_json, write_json
    from edge.terminal.opened_engine import opened_engine
    from edge.terminal.progress import progress_bar
    from edge.vision.view import WHOLE_FRAME, AskedView

    if json_file is not None:
        check_target(json_file)
    categories = find_categories(datasets)
    if limit is not None:
        categories = [category.limited(limit) for category in categories]
    view = AskedView(locate=locate, detail=detail, looks=looks).over(WHOLE_FRAME, WHOLE_FRAME.shape)
    plan = EvaluationPlan(
        tuple(dict.fromkeys(shots)), tuple(dict.fromkeys(seeds)), whole_graph, view, locate == "auto"
    )
    with ExitStack() as stack:
        opened, engine = stack.enter_context(
            opened_engine(bundle, precision, runtime, accept_failed_parity=accept_failed_parity)
        )
        if decided_by is None:
            decided_by = "calibration" if opened.manifest.language is None else "language"
        runner = stack.enter_context(opened_runner(opened)) if decided_by == "language" else None
        progress = stack.enter_context(progress_bar())
        results = evaluate(categories, engine, opened, plan, progress, runner)
    if json_file is not None:
        write_json(json_file, results_json(results), opened)
    console = Console()
    for result in results:
        console.print(result_table(result))
