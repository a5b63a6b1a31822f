"""From a verified work folder to the bundle that a station loads."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from build_engines.export import FP32_FILE, content_of, preset_graph
from build_engines.language_half import is_language_up_to_date
from build_engines.parity import failures
from build_engines.presets import Preset
from edge.bundle import MANIFEST_NAME, SEAL_NAME, Bundle, Precision
from edge.errors import BundleError


def pack(made: Bundle, target: Path) -> Bundle:
    """Copies a verified bundle to ``target``, which is replaced whole or not at all.

    Raises:
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
        raise BundleError(f"{target} is no bundle and not empty.", "Choose another folder with --out.")
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        whole, old = scratch / "new", scratch / "old"
        whole.mkdir()
        for name in (*made.manifest.files, MANIFEST_NAME, SEAL_NAME):
            shutil.copyfile(made.path / name, whole / name)
        Bundle.load(whole)
        if target.exists():
            target.replace(old)
        whole.replace(target)
    except OSError as error:
        raise BundleError(f"Cannot write {target}: {error.strerror}.", "Free some space there.") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Bundle(target, made.manifest)


def is_up_to_date(target: Path, preset: Preset, precisions: Sequence[Precision]) -> bool:
    """Whether ``target`` holds an intact bundle with the graph that the preset makes today.

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
        and set(manifest.graphs) == set(precisions)
        and is_language_up_to_date(manifest, preset.language)
        and not failures(manifest)
    )
