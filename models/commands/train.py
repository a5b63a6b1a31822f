"""``python -m models.train PRESET [DATA…]``: everything that is learned, from free images.

Five stages, each of which leaves its result in the run's folder and is not repeated there: the text decoder's
layers, the maps of enrolled products, the reader of these maps, the dialogue, for which the frozen language
model is read from the very GGUF that ships, and further training of the rows that end a question.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from edge.errors import EdgeError
from models.training.plan import TrainingPlan

STAGES = ("decoder", "maps", "reader", "dialogue", "turns")


@click.command()
@click.argument("preset")
@click.argument("data", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--run",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the run.  [default: runs/PRESET]",
)
@click.option("--stage", "stages", multiple=True, type=click.Choice(STAGES), help="Run only these stages.")
@click.option("--seed", default=TrainingPlan.seed, show_default=True)
@click.option(
    "--products",
    default=TrainingPlan.products,
    show_default=True,
    help="Number of products enrolled for the maps.",
)
@click.option("--decoder-products", default=TrainingPlan.decoder_products, show_default=True)
@click.option("--decoder-steps", default=TrainingPlan.decoder_steps, show_default=True)
@click.option("--validation-products", default=TrainingPlan.validation_products, show_default=True)
@click.option("--imagined-maps", default=TrainingPlan.imagined_maps, show_default=True)
@click.option("--reader-steps", default=TrainingPlan.reader_steps, show_default=True)
@click.option("--dialogue-steps", default=TrainingPlan.dialogue_steps, show_default=True)
@click.option("--turn-steps", default=TrainingPlan.turn_steps, show_default=True)
@click.option(
    "--rate",
    default=TrainingPlan.rate,
    show_default=True,
    help="Highest learning rate of the dialogue stage.",
)
@click.option(
    "--threads", type=click.IntRange(min=1), help="Threads of torch and the encoder.  [default: all cores]"
)
@click.option(
    "--gguf",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The language model to train through.  [default: the bundle's]",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the weights to this file at the end.",
)
def command(
    preset: str,
    data: tuple[Path, ...],
    run: Path | None,
    stages: tuple[str, ...],
    gguf: Path | None,
    out: Path | None,
    **plan: int,
) -> None:
    """Train the text decoder, the reader and the prompt learner for PRESET's encoder.

    PRESET is a bundle that has been built (python -m build_engines build PRESET). Images come from Debian's
    free packages and from the project's own rendering; DATA adds folders, each with good parts of one product
    (only images whose licence allows it). The encoder and the language model stay frozen.

    A stopped run resumes where it was. On two cores the whole training takes about two and a half hours;
    figures and curves are in the run's folder.

    \b
    Example:
      python -m models.train dinov2-s --out models/weights/dinov2-s.safetensors
    """
    from edge.terminal.progress import progress_bar

    try:
        from models.training.stages import Training
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"Training needs {error.name}, which is not installed: pip install 'anomalygpt-edge[train]'"
        ) from error
    try:
        with progress_bar() as progress:
            training = Training(
                preset, data, run or Path("runs") / preset, TrainingPlan(**plan), progress, gguf
            )
            for stage in stages or STAGES:
                getattr(training, stage)()
            if out is not None:
                training.export(out, typed())
        click.echo(training.summary())
    except EdgeError as error:
        raise click.ClickException(str(error)) from error


def typed() -> str:
    """The run as a person repeats it, in one spelling; ``python -m models train`` is the same program."""
    inside_group = click.get_current_context().parent is not None
    return " ".join(["python -m models.train", *sys.argv[2 if inside_group else 1 :]])
