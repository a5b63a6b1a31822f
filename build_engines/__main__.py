"""``python -m build_engines``: from a preset to a bundle that a station can load."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, get_args

import click

from build_engines.commands import accept, banks, budget, compile
from build_engines.commands.fetch import fetch
from build_engines.commands.pin import pin
from build_engines.presets import Preset, load_preset, preset_names
from edge.bundle import FASTEST_FIRST, Bundle, Precision, bundles_dir
from edge.errors import EdgeError, EngineError

_Command = TypeVar("_Command", bound=Callable[..., None])


def _size(
    context: click.Context,  # noqa: ARG001 - click's signature
    option: click.Parameter,  # noqa: ARG001
    value: str | None,
) -> tuple[int, int] | None:
    """``448`` or ``448x672`` (height x width)."""
    if value is None:
        return None
    parts = value.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() for part in parts):
        raise click.BadParameter(f"{value!r} is no size; write 448 or 448x672 (height x width).")
    return int(parts[0]), int(parts[-1])


def _taps(
    context: click.Context,  # noqa: ARG001 - click's signature
    option: click.Parameter,  # noqa: ARG001
    value: str | None,
) -> tuple[int, ...] | None:
    """``6,7,8,9``."""
    if value is None:
        return None
    parts = value.replace(" ", "").split(",")
    if not all(part.isdecimal() for part in parts):
        raise click.BadParameter(f"{value!r} is no list of layers; write 6,7,8,9.")
    return tuple(int(part) for part in parts)


def _preset_options(command: _Command) -> _Command:
    command = click.option(
        "--taps",
        metavar="N,N,…",
        callback=_taps,
        help="Layers whose tokens are the features, 0 for the first.  [default: the preset's]",
    )(command)
    command = click.option(
        "--size",
        metavar="N|HxW",
        callback=_size,
        help="Input size in pixels, a multiple of the encoder's patch: larger sees finer defects "
        "and takes longer.  [default: the preset's]",
    )(command)
    return click.argument("preset")(command)


_precision_option = click.option(
    "--precision",
    "precisions",
    multiple=True,
    type=click.Choice(get_args(Precision)),
    help="Build only these (repeat it); fp32 is always among them.  [default: fp32, and the fastest that this "
    "CPU computes]",
)
_all_option = click.option(
    "--all-precisions",
    is_flag=True,
    help="Build every precision of the preset: for other machines, or to compare them.",
)
_no_language_option = click.option(
    "--without-language",
    is_flag=True,
    help="Leave the language half out, where llama.cpp cannot be had: the calibrated score decides, in no words.",
)
_calibrate_option = click.option(
    "--calibrate-on",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Observe int8's ranges on the good parts in this folder, such as a product's references.  "
    "[default: parts that are rendered for it]",
)
_images_option = click.option(
    "--images",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Measure on real images: a category in the MVTec layout, or a folder of them.  "
    "[default: parts that are rendered for it]",
)
_out_option = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The bundle's folder.  [default: in the cache, where every command finds it by name]",
)


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


@cli.command()
@_preset_options
@_precision_option
@_all_option
@_calibrate_option
def export(
    preset: str,
    size: tuple[int, int] | None,
    taps: tuple[int, ...] | None,
    precisions: tuple[Precision, ...],
    all_precisions: bool,
    calibrate_on: Path | None,
) -> None:
    """Write the vision graph of PRESET: encoder, matching, map and score in one ONNX file.

    fp32, bf16 and int8 are for CPUs, and bf16 has no file of its own: it is the fp32 graph, computed in
    bf16. fp32, fp16 and int8-symmetric are for TensorRT. What of the encoder needs fp32 in them is
    found by measuring it.
    """
    adapted = load_preset(preset).adapted(size, taps)
    made = _export(adapted, _choices(adapted, precisions, all_precisions)[0], calibrate_on)
    click.echo(f"Wrote {made.path}; next: python -m build_engines verify {made.name}")


@cli.command()
@_preset_options
@_images_option
@click.option("--layers", is_flag=True, help="Also say what each precision costs every layer.")
def verify(
    preset: str, size: tuple[int, int] | None, taps: tuple[int, ...] | None, images: Path | None, layers: bool
) -> None:
    """Measure what `export` wrote: is every precision still right?

    fp32 is compared with the weights' own graph in ONNX Runtime, the other precisions with fp32: patch by
    patch, by image AUROC, and by the maps and verdicts of products that each precision learns by
    itself. The figures go into the manifest; outside a limit it fails.
    """
    adapted = load_preset(preset).adapted(size, taps)
    if layers:
        _report_layers(adapted, images)
    _verify(adapted, images)


@cli.command()
@_preset_options
@_out_option
@_no_language_option
def pack(
    preset: str,
    size: tuple[int, int] | None,
    taps: tuple[int, ...] | None,
    out: Path | None,
    without_language: bool,
) -> None:
    """Make the bundle of what `export` wrote and `verify` passed, with the language half."""
    _pack(load_preset(preset).adapted(size, taps), out, without_language)


@cli.command()
@_preset_options
@_precision_option
@_all_option
@_calibrate_option
@_images_option
@_out_option
@_no_language_option
@click.option("--force", is_flag=True, help="Build it again even where the bundle is up to date.")
@click.option("--no-pack", is_flag=True, help="Stop before `pack`, the first step that needs llama.cpp.")
def build(
    preset: str,
    size: tuple[int, int] | None,
    taps: tuple[int, ...] | None,
    precisions: tuple[Precision, ...],
    all_precisions: bool,
    calibrate_on: Path | None,
    images: Path | None,
    out: Path | None,
    without_language: bool,
    force: bool,
    no_pack: bool,
) -> None:
    """Fetch, export, verify and pack PRESET; seconds where the bundle is up to date.

    Without --precision it is fp32 and the fastest that this CPU computes; where that one is outside a limit,
    the next.
    """
    from build_engines.pack import is_up_to_date

    adapted = load_preset(preset).adapted(size, taps)
    target = out or bundles_dir() / adapted.name
    choices = _choices(adapted, precisions, all_precisions)
    language = None if without_language else adapted.language
    # What a folder holds today, no manifest tells: calibrated on one, a bundle is always made again.
    if (
        not force
        and calibrate_on is None
        and is_up_to_date(target, adapted, choices[0], language, exactly=bool(precisions))
    ):
        click.echo(f"{target} is up to date.")
        return
    _make_first_right(adapted, choices, calibrate_on, images)
    if not no_pack:
        _pack(adapted, out, without_language)


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

    from build_engines.ablation import Ablation, ablation_table
    from build_engines.language_half import weights_file
    from build_engines.learned import read_learned
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


def _choices(
    preset: Preset, precisions: tuple[Precision, ...], all_precisions: bool
) -> list[tuple[Precision, ...]]:
    """The precisions to build: the first choice, and what is built instead where it is not right here."""
    if all_precisions and precisions:
        raise click.UsageError("--precision and --all-precisions exclude each other.")
    asked = preset.precisions if all_precisions else precisions
    if asked:
        return [tuple(p for p in get_args(Precision) if p in {"fp32", *asked})]
    from edge.vision.openvino import cpu_precisions

    here = [p for p in FASTEST_FIRST if p in preset.precisions and p in cpu_precisions() and p != "fp32"]
    return [*(("fp32", p) for p in here), ("fp32",)]


def _make_first_right(
    preset: Preset, choices: list[tuple[Precision, ...]], calibrate_on: Path | None, images: Path | None
) -> None:
    """Exports and verifies the first choice that stays inside its limits on this machine."""
    *preferred, last = choices
    for choice in preferred:
        try:
            _export(preset, choice, calibrate_on)
            _verify(preset, images)
            return
        except EngineError as error:
            click.echo(f"{error.message} The next precision is built instead.", err=True)
    _export(preset, last, calibrate_on)
    _verify(preset, images)


def _export(preset: Preset, precisions: tuple[Precision, ...], calibrate_on: Path | None) -> Bundle:
    from build_engines.draft import work_folder
    from build_engines.export import export_bundle

    with _spinner(f"{preset.name}: writing graphs") as say:
        return export_bundle(preset, work_folder(preset), precisions, say, calibrate_on)


def _verify(preset: Preset, images: Path | None) -> None:
    from rich.console import Console

    from build_engines.draft import work_folder, write_manifest
    from build_engines.labelled import folder_set, rendered_set
    from build_engines.parity import failures, parity_table
    from build_engines.parity import verify as measure
    from edge.errors import EngineError

    made = _made(preset)
    products = rendered_set() if images is None else folder_set(images)
    with _spinner(f"{preset.name}: measuring") as say:
        manifest = measure(made, preset.source.fetch_all(), products, say)
    write_manifest(work_folder(preset), manifest)
    Console().print(parity_table(manifest))
    failed = failures(manifest)
    if failed:
        raise EngineError(" ".join(failed), "Leave that precision out with --precision, or report it.")


def _report_layers(preset: Preset, images: Path | None) -> None:
    from rich.console import Console

    from build_engines.draft import work_folder
    from build_engines.labelled import folder_set, rendered_set
    from build_engines.layer_report import LAYERS_NAME, kept_shares, layer_costs, layer_table, write_layers

    made = _made(preset)
    products = rendered_set(parts=1) if images is None else folder_set(images, limit=2)
    with _spinner(f"{preset.name}: layers"):
        costs = layer_costs(made, [product.reference for product in products])
        kept = kept_shares(made)
    write_layers(work_folder(preset) / LAYERS_NAME, costs, kept)
    Console().print(layer_table(costs, kept))


def _pack(preset: Preset, out: Path | None, without_language: bool) -> None:
    from build_engines.pack import pack as packed

    language = None if without_language else preset.language
    bundle = packed(_made(preset), out or bundles_dir() / preset.name, language)
    click.echo(f"{bundle.path} holds bundle {bundle.id}")


def _made(preset: Preset) -> Bundle:
    from build_engines.draft import work_folder

    return Bundle.load(work_folder(preset))


@contextmanager
def _spinner(title: str) -> Iterator[Callable[[str], None]]:
    """One moving line on standard error that says what is being done; silent without a terminal."""
    from rich.console import Console

    with Console(stderr=True).status(title) as status:
        yield lambda what: status.update(f"{title}: {what}")


def main() -> None:
    """Runs a command; an error is one line and exit code 1."""
    try:
        cli(prog_name="python -m build_engines", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit("interrupted")
    except EdgeError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
