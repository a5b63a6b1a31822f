"""From a verified work folder to the bundle that a station loads."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

from build_engines.assembly.draft import with_language, write_manifest
from build_engines.assembly.export import FP32_FILE, content_of, preset_graph
from build_engines.assembly.sbom import write_sbom
from build_engines.language.language_half import is_language_up_to_date
from build_engines.parity.gate import failures
from build_engines.presets import LanguagePreset, Preset
from edge.bundle import MANIFEST_NAME, Bundle
from edge.choices import Precision
from edge.errors import BundleError
from edge.whole_file import replace_folder


def pack(made: Bundle, target: Path, language: LanguagePreset | None = None) -> Bundle:
    """Copies a verified bundle and its bill of materials to ``target``: replaced whole or not at all.

    Args:
        made: what ``export`` wrote and ``verify`` measured.
        target: the bundle's folder.
        language: its language half, written first; None for a bundle that only sees.

    Raises:
        SourceError, LanguageError: the language half cannot be made.
        BundleError: it was not verified, a figure is outside its limit, or ``target`` is a folder
            that holds something else.
    """
    failed = failures(made.manifest)
    if failed:
        raise BundleError(
            f"Bundle {made.name} cannot be packed: {failed[0]}",
            f"Run first: python -m build_engines verify {made.name}",
        )
    if target.exists() and not (target / MANIFEST_NAME).is_file() and any(target.iterdir()):
        raise BundleError(f"{target} is not a bundle and not empty.", "Choose another folder with --out.")
    if language is not None:
        made = with_language(made, language)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        whole = scratch / "new"
        whole.mkdir()
        for name in made.manifest.files:
            shutil.copyfile(made.path / name, whole / name)
        write_manifest(whole, made.manifest)
        write_sbom(Bundle.load(whole))
        replace_folder(whole, target, aside=scratch / "old")
    except OSError as error:
        raise BundleError(f"Cannot write {target}: {error.strerror}.", "Free some space there.") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Bundle(target, made.manifest)


def is_up_to_date(
    target: Path,
    preset: Preset,
    precisions: Collection[Precision],
    *,
    exactly: bool,
    without_language: bool,
) -> bool:
    """Whether ``target`` holds an intact bundle with the graph that the preset makes today.

    Args:
        target: the bundle's folder.
        preset: what to make.
        precisions: that it has to have.
        exactly: whether it must have no others.
        without_language: whether it may lack the preset's language half.

    Raises:
        SourceError: the weights cannot be fetched.
        ConfigError: the size or the taps do not fit the encoder.
    """
    if not (target / MANIFEST_NAME).is_file():
        return False
    try:
        manifest = Bundle.load(target).manifest
    except BundleError:
        return False  # Damaged, or of another version: made again.
    graph = content_of(preset_graph(preset, preset.source.fetch_all())[0])
    same = manifest.files.get(FP32_FILE)
    return (
        same is not None
        and same.sha256 == hashlib.sha256(graph).hexdigest()
        and (set(manifest.graphs) == set(precisions) if exactly else set(manifest.graphs) >= set(precisions))
        and (
            (without_language and manifest.language is None)
            or is_language_up_to_date(manifest, preset.language)
        )
        and not failures(manifest)
    )
