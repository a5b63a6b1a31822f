"""A bundle in the making: the work folder that ``export`` fills and ``verify`` measures, up to ``pack``."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from build_engines.language.language_half import LANGUAGE_ORIGINS, write_language
from build_engines.presets import LanguagePreset, Preset
from edge.bundle import MANIFEST_NAME, Bundle, BundleFile, Encoder, GraphFile, Manifest, seal
from edge.choices import Precision
from edge.fetch import sha256_of
from edge.paths import cache_dir
from edge.whole_file import write_whole

_TOOLS = ("anomalygpt-edge", "onnx", "onnxruntime", "openvino", "nncf", "numpy")


def work_folder(preset: Preset) -> Path:
    """Where a preset's bundle is made before it is packed."""
    return cache_dir() / "build" / preset.name


def draft(
    folder: Path,
    preset: Preset,
    encoder: Encoder,
    graphs: dict[Precision, GraphFile],
) -> Bundle:
    """Writes the manifest of what lies in ``folder``, with its parity still to be measured."""
    files = {graph.file for graph in graphs.values()}
    manifest = Manifest(
        name=preset.name,
        encoder=encoder,
        graphs=graphs,
        origins=preset.source.origins,
        tools=_tool_versions(),
        files={name: _described(folder / name) for name in sorted(files)},
    )
    return write_manifest(folder, manifest)


def with_language(made: Bundle, preset: LanguagePreset) -> Bundle:
    """The bundle with its language half, whose files are written beside the graphs.

    It is the first step that needs llama.cpp. The manifest in the folder stays the draft's.

    Raises:
        SourceError: the language model cannot be fetched, or the weights were trained on another file.
        LanguageError: llama.cpp is not installed.
    """
    language = write_language(preset, made.path)
    of_language = {name: _described(made.path / name) for name in (language.gguf, language.base_rows)}
    manifest = made.manifest.model_copy(
        update={
            "language": language,
            "origins": tuple(dict.fromkeys((*made.manifest.origins, *LANGUAGE_ORIGINS))),
            "files": dict(sorted({**made.manifest.files, **of_language}.items())),
        }
    )
    return Bundle(made.path, manifest)


def write_manifest(folder: Path, manifest: Manifest) -> Bundle:
    """Writes ``manifest.json`` whole or not at all, and its hash beside it."""
    write_whole(folder / MANIFEST_NAME, manifest.model_dump_json(indent=2) + "\n")
    seal(folder)
    return Bundle(folder, manifest)


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
