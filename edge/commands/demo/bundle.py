"""The demo's bundle: taken from the cache, or built first."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import click

from edge.bundle import DEFAULT_BUNDLE, Bundle, bundles_dir
from edge.errors import BundleError


def bundle_at_hand(name: str | None) -> Bundle:
    """The bundle of that name; the default bundle is built where it is missing.

    Raises:
        BundleError: it is damaged, another one is missing, or the build failed.
    """
    if name in (None, DEFAULT_BUNDLE) and not (bundles_dir() / DEFAULT_BUNDLE).is_dir():
        _build()
    return Bundle.resolve(name, language_later=True)


def _build() -> None:
    by_hand = f"Build it in a checkout of the source: python -m build_engines build {DEFAULT_BUNDLE}"
    if importlib.util.find_spec("build_engines") is None:
        raise BundleError(
            f"The bundle {DEFAULT_BUNDLE} is missing, and so is the program that builds it.", by_hand
        )
    click.echo(f"bundle      {DEFAULT_BUNDLE} is not there yet: fetching its model and building it, once")
    # A process of its own: what building needs is in memory only while it builds.
    done = subprocess.run([sys.executable, "-m", "build_engines", "build", DEFAULT_BUNDLE], check=False)
    if done.returncode != 0:
        raise BundleError(
            f"The bundle {DEFAULT_BUNDLE} could not be built; the reason stands above.", by_hand
        )
