"""What every test stands on: folders of its own, and the bundles."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from edge.bundle import DEFAULT_BUNDLE, Bundle, bundles_dir
from edge.errors import LanguageError, SourceError
from edge.paths import CACHE_VARIABLE, DATA_VARIABLE, cache_dir
from tests.build_engines.learned_weights import random_learned
from tests.build_engines.tiny import WIDTH, tiny_learned_bundle
from tests.build_engines.tiny import speaking_bundle as make_speaking_bundle
from tests.build_engines.tiny import tiny_bundle as make_tiny_bundle

pytest_plugins = ["tests.skips"]

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")


@pytest.fixture(autouse=True)
def same_umask() -> Iterator[None]:
    """A command that a test calls in this process leaves its umask to no other test."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(scope="session", autouse=True)
def own_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test, and no process that a test starts, touches the data of the person who runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DATA_VARIABLE, str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="module")
def own_memory_of_crashes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A copy of what is known of this machine's kernels: a test's signals are nobody else's knowledge.

    What comes from the cache is asked for before, by fixtures of the session.
    """
    known, folder = cache_dir() / "kernels", tmp_path_factory.mktemp("cache")
    if known.is_dir():
        shutil.copytree(known, folder / "kernels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(folder))
        yield


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A real bundle around a tiny encoder with random weights: it judges in a few milliseconds."""
    return make_tiny_bundle(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def learned_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The tiny encoder with a text decoder and a prompt learner of random weights behind it."""
    return tiny_learned_bundle(tmp_path_factory.mktemp("learned"), random_learned(taps=2, width=WIDTH))


@pytest.fixture(scope="session")
def speaking_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The tiny encoder with the language half that ships; skips where llama.cpp is not installed."""
    try:
        return make_speaking_bundle(tmp_path_factory.mktemp("speaking"))
    except (LanguageError, SourceError) as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def default_bundle() -> Bundle:
    """The bundle that ships, built where the cache does not have it yet."""
    if not (bundles_dir() / DEFAULT_BUNDLE).is_dir():
        subprocess.run([sys.executable, "-m", "build_engines", "build", DEFAULT_BUNDLE], check=True)
    return Bundle.default()
