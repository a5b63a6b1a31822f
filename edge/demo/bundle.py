"""The demo's bundle: taken from the cache, or built first."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import click

from edge import tools
from edge.bundle import DEFAULT_BUNDLE, Bundle, bundles_dir
from edge.errors import BundleError

_BUILDING = ("build_engines", "build", DEFAULT_BUNDLE)


def bundle_at_hand(name: str | None) -> Bundle:
    """The bundle of that name; the default bundle is built where it is missing.

    Raises:
        EdgeError: what builds it is not installed.
        BundleError: it is damaged, another one is missing, or the build failed.
    """
    if name in (None, DEFAULT_BUNDLE) and not (bundles_dir() / DEFAULT_BUNDLE).is_dir():
        _build()
    return Bundle.resolve(name, language_later=True)


def _build() -> None:
    # With the broker's extra, so that nobody waits minutes to be told of that one.
    tools.require("build,demo", f"The bundle {DEFAULT_BUNDLE} is not there yet; building it")
    speaks = importlib.util.find_spec("llama_cpp") is not None
    click.echo(f"bundle      {DEFAULT_BUNDLE} is not there yet: fetching its model and building it, once")
    if not speaks:
        click.echo(
            "language    llama.cpp is not installed: the calibrated score decides, no part gets a sentence.\n"
            f"            To change that: {tools.command_line('build_engines.language.llama_wheel')}\n"
            f"            and then:       {tools.command_line(*_BUILDING)}"
        )
    # A process of its own: what building needs is in memory only while it builds.
    command = [sys.executable, "-m", "edge.tools", *_BUILDING, *([] if speaks else ["--without-language"])]
    if subprocess.run(command, check=False).returncode != 0:
        raise BundleError(
            f"The bundle {DEFAULT_BUNDLE} could not be built; see the reason above.",
            f"Build it separately: {tools.command_line(*_BUILDING)}",
        )
