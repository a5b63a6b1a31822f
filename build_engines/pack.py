"""Bundles in the making: the work folder that ``export`` fills and ``verify`` measures, and packing it."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from build_engines.parity import failures
from build_engines.presets import Preset
from edge.bundle import MANIFEST_NAME, Bundle, BundleFile, Encoder, Graph, Manifest, Precision
from edge.errors import BundleError
from edge.fetch import sha256_of
from edge.paths import cache_dir

_TOOLS = ("anomalygpt-edge", "onnx", "onnxruntime", "openvino", "nncf", "numpy")


def work_folder(preset: Preset) -> Path:
    """Where a preset's bundle is made before it is packed."""
    return cache_dir() / "build" / preset.name


def draft(folder: Path, preset: Preset, encoder: Encoder, graphs: dict[Precision, Graph]) -> Bundle:
    """Writes the manifest of what lies in ``folder``, with its parity still to be measured."""
    files = {graph.file for graph in graphs.values()}
    manifest = Manifest(
        name=preset.name,
        encoder=encoder,
        graphs=graphs,
        origins=(preset.source.origin,),
        tools=_tool_versions(),
        files={name: _described(folder / name) for name in sorted(files)},
    )
    return write_manifest(folder, manifest)


def write_manifest(folder: Path, manifest: Manifest) -> Bundle:
    """Writes ``manifest.json`` whole or not at all."""
    part = folder / f".{MANIFEST_NAME}.{os.getpid()}"
    part.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    part.replace(folder / MANIFEST_NAME)
    return Bundle(folder, manifest)


def pack(made: Bundle, target: Path) -> Bundle:
    """Copies a verified bundle to ``target``, which is replaced whole or not at all.

    Raises:
        BundleError: it was not verified, a figure is below its limit, or ``target`` is a folder
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
        for name in (*made.manifest.files, MANIFEST_NAME):
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


def _described(path: Path) -> BundleFile:
    return BundleFile(sha256=sha256_of(path), bytes=path.stat().st_size)


def _tool_versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for tool in _TOOLS:
        try:
            found[tool] = version(tool)
        except PackageNotFoundError:  # Running from a checkout that is not installed.
            continue
    return found
