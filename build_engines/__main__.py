"""``python -m build_engines``: from a preset to a bundle that a station can load."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from build_engines.commands import accept, banks, budget, compile, sbom, steps
from build_engines.commands.fetch import fetch
from build_engines.commands.pin import pin
from build_engines.presets import load_preset, preset_names
from edge.errors import EdgeError
from edge.tools import command_line


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"Presets: {', '.join(preset_names())}, or the path of a YAML file like them.",
)
def cli() -> None:
    """Builds model bundles: fetches an encoder's weights, writes the vision graph, checks it, packs it.

    `build` does all of it. The single steps leave their work in the cache, one folder per preset,
    size and taps, so that each can be repeated.
    """


cli.add_command(fetch)
cli.add_command(pin)
for _step in (steps.export, steps.verify, steps.pack, steps.build):
    cli.add_command(_step)


@cli.command()
@click.argument("preset")
@click.argument("datasets", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--shots", default=4, show_default=True, type=click.IntRange(min=1), help="Number of references."
)
@click.option("--seed", default=0, show_default=True, help="Draws the references.")
@click.option("--limit", type=click.IntRange(min=2), help="Judge at most so many images per category.")
def ablate(preset: str, datasets: tuple[Path, ...], shots: int, seed: int, limit: int | None) -> None:
    """Judge DATASETS with pieces of the method left out: what each is worth.

    The reference map alone, the text map alone and both; without calibration; the language model without the
    map's rows, and in every quantization. DATASETS are what `anomalygpt-edge evaluate` takes.
    """
    from rich.console import Console

    from build_engines.graph.learned import read_learned
    from build_engines.language.language_half import weights_file
    from build_engines.studies.ablation import Ablation, ablation_table
    from edge.commands._engine import opened_engine
    from edge.errors import BundleError
    from edge.evaluation.dataset import find_categories
    from edge.evaluation.progress import progress_bar

    language = load_preset(preset).language
    if language is None:
        raise BundleError(f"Preset {preset} has no language half.", "Name one that has: dinov2-s.")
    categories = find_categories(datasets)
    if limit is not None:
        categories = [category.limited(limit) for category in categories]
    with opened_engine(preset, "auto") as (bundle, engine), progress_bar() as progress:
        learned = read_learned(weights_file(language))
        rows = Ablation(engine, bundle, learned, shots, seed, progress).rows(categories)
    Console().print(ablation_table(rows))


cli.add_command(banks.command)
cli.add_command(budget.command)
cli.add_command(compile.command)
cli.add_command(accept.command)
cli.add_command(sbom.command)


def main() -> None:
    """Runs a command; an error is one line and exit code 1."""
    try:
        cli(prog_name=command_line("build_engines"), standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit("interrupted")
    except EdgeError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
