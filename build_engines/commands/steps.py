"""``export``, ``verify``, ``pack``, and ``build``, which is all of them: from a preset to a bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import click

from build_engines.commands.options import (
    all_option,
    calibrate_option,
    images_option,
    no_language_option,
    out_option,
    precision_option,
    preset_options,
)
from build_engines.presets import Preset, load_preset
from edge.bundle import FASTEST_FIRST, Bundle, bundles_dir
from edge.choices import Precision
from edge.errors import EngineError


@click.command()
@preset_options
@precision_option
@all_option
@calibrate_option
def export(
    preset: str,
    size: tuple[int, int] | None,
    taps: tuple[int, ...] | None,
    precisions: tuple[Precision, ...],
    all_precisions: bool,
    calibrate_on: Path | None,
) -> None:
    """Write the vision graph of PRESET: encoder, matching, map and score in one ONNX file.

    fp32, bf16 and int8 are for CPUs; bf16 has no file of its own, because it is the fp32 graph computed in
    bf16. fp32, fp16 and int8-symmetric are for TensorRT. Which pieces of the encoder must stay in fp32 is
    measured.
    """
    adapted = load_preset(preset).adapted(size, taps)
    made = _export(adapted, _choices(adapted, precisions, all_precisions)[0], calibrate_on)
    click.echo(f"Wrote {made.path}; next: python -m build_engines verify {made.name}")


@click.command()
@preset_options
@images_option
@click.option("--layers", is_flag=True, help="Also report the error of each precision in every layer.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), help="Also write the figures to this file."
)
def verify(
    preset: str,
    size: tuple[int, int] | None,
    taps: tuple[int, ...] | None,
    images: Path | None,
    layers: bool,
    json_file: Path | None,
) -> None:
    """Measure what `export` wrote: is every precision still right?

    fp32 is compared with the weights' own graph in ONNX Runtime, the other precisions with fp32: patch by
    patch, by image AUROC, and by the maps and verdicts of products that are enrolled in each precision. The
    figures go into the manifest; a figure outside its limit is an error.
    """
    adapted = load_preset(preset).adapted(size, taps)
    _verify(adapted, images, json_file, _report_layers(adapted, images) if layers else {})


@click.command()
@preset_options
@out_option
@no_language_option
def pack(
    preset: str,
    size: tuple[int, int] | None,
    taps: tuple[int, ...] | None,
    out: Path | None,
    without_language: bool,
) -> None:
    """Make the bundle from what `export` wrote and `verify` passed, with the language half."""
    _pack(load_preset(preset).adapted(size, taps), out, without_language)


@click.command()
@preset_options
@precision_option
@all_option
@calibrate_option
@images_option
@out_option
@no_language_option
@click.option("--force", is_flag=True, help="Build again even if the bundle is up to date.")
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
    """Fetch, export, verify and pack PRESET; takes seconds if the bundle is up to date.

    Without --precision, builds fp32 and the fastest precision that this CPU computes; if that one is outside
    a limit, the next fastest.
    """
    from build_engines.assembly.pack import is_up_to_date

    adapted = load_preset(preset).adapted(size, taps)
    target = out or bundles_dir() / adapted.name
    choices = _choices(adapted, precisions, all_precisions)
    exactly = bool(precisions)
    # What a folder holds today, no manifest tells: calibrated on one, a bundle is always made again.
    if (
        not force
        and calibrate_on is None
        and is_up_to_date(target, adapted, choices[0], exactly=exactly, without_language=without_language)
    ):
        click.echo(f"{target} is up to date.")
        return
    _make_first_right(adapted, choices, calibrate_on, images)
    if not no_pack:
        _pack(adapted, out, without_language)


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

    available = cpu_precisions() & set(preset.precisions)
    here = [p for p in FASTEST_FIRST if p in available and p != "fp32"]
    for_gpus = tuple(p for p in preset.precisions if p not in FASTEST_FIRST)
    return [*(("fp32", p, *for_gpus) for p in here), ("fp32", *for_gpus)]


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
    from build_engines.assembly.draft import work_folder
    from build_engines.assembly.export import export_bundle

    with _spinner(f"{preset.name}: writing graphs") as say:
        return export_bundle(preset, work_folder(preset), precisions, say, calibrate_on)


def _verify(
    preset: Preset,
    images: Path | None,
    json_file: Path | None = None,
    more_figures: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    from rich.console import Console

    from build_engines.assembly.draft import work_folder, write_manifest
    from build_engines.parity.gate import failures, parity_table
    from build_engines.parity.gate import verify as measure
    from build_engines.parity.labelled import folder_set, rendered_set
    from edge.evaluation.report import write_json

    made = _made(preset)
    products = rendered_set() if images is None else folder_set(images)
    with _spinner(f"{preset.name}: measuring") as say:
        manifest = measure(made, preset.source.fetch_all(), products, say)
    written = write_manifest(work_folder(preset), manifest)
    if json_file is not None:
        graphs = {name: graph.parity.model_dump() for name, graph in manifest.graphs.items() if graph.parity}
        write_json(json_file, {"graphs": graphs, **more_figures}, written)
    Console().print(parity_table(manifest))
    failed = failures(manifest)
    if failed:
        raise EngineError(" ".join(failed), "Leave that precision out with --precision, or report it.")


def _report_layers(preset: Preset, images: Path | None) -> dict[str, Any]:
    """Shows what each precision costs every part, and returns it as it stands in JSON."""
    from rich.console import Console

    from build_engines.parity.labelled import folder_set, rendered_set
    from build_engines.precision.layer_report import (
        kept_shares,
        layer_costs,
        layer_rows,
        layer_table,
    )

    made = _made(preset)
    products = rendered_set(parts=1) if images is None else folder_set(images, limit=2)
    with _spinner(f"{preset.name}: layers"):
        costs = layer_costs(made, [product.reference for product in products])
        kept = kept_shares(made)
    Console().print(layer_table(costs, kept))
    return {"layers": layer_rows(costs, kept)}


def _pack(preset: Preset, out: Path | None, without_language: bool) -> None:
    from build_engines.assembly.pack import pack as packed

    language = None if without_language else preset.language
    bundle = packed(_made(preset), out or bundles_dir() / preset.name, language)
    click.echo(f"{bundle.path} contains bundle {bundle.id}")


def _made(preset: Preset) -> Bundle:
    from build_engines.assembly.draft import work_folder

    return Bundle.load(work_folder(preset))


@contextmanager
def _spinner(title: str) -> Iterator[Callable[[str], None]]:
    """One moving line on standard error that says what is being done; silent without a terminal."""
    from rich.console import Console

    with Console(stderr=True).status(title) as status:
        yield lambda what: status.update(f"{title}: {what}")
