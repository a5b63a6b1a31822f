"""The wheel of llama.cpp: found again, keyed by what it was built from, refused with a remedy."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

from build_engines import llama_wheel
from edge.errors import SourceError
from edge.language.library import VERSION
from edge.paths import CACHE_VARIABLE


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    return tmp_path


def test_the_packaging_names_the_same_version() -> None:
    setup = Path(__file__).parents[2] / "setup.py"
    assert re.findall(r"llama-cpp-python==([\d.]+)", setup.read_text()) == [VERSION]


def test_a_wheel_that_is_there_is_not_built_again(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "/nonexistent/g++")
    assert llama_wheel.built_wheel() is None
    folder = llama_wheel.wheel_folder()
    assert folder.is_relative_to(empty_cache)
    folder.mkdir(parents=True)
    wheel = folder / "llama_cpp_python.whl"
    wheel.write_bytes(b"made before")
    assert llama_wheel.build_wheel() == wheel


def test_other_options_are_another_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = llama_wheel.wheel_folder()
    monkeypatch.setitem(llama_wheel._OPTIONS, "GGML_CPU_ALL_VARIANTS", "OFF")
    assert llama_wheel.wheel_folder() != folder


@pytest.mark.usefixtures("empty_cache")
def test_without_a_compiler_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "/nonexistent/g++")
    with pytest.raises(SourceError, match=r"no C\+\+ compiler") as caught:
        llama_wheel.build_wheel()
    assert "apt install g++" in caught.value.remedy


@pytest.mark.slow
def test_a_source_that_is_not_the_pinned_one_is_not_built(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama_wheel, "SDIST_SHA256", "0" * 64)
    with pytest.raises(SourceError, match=r"HASH|hash"):
        llama_wheel.build_wheel()
    assert not list(empty_cache.rglob("*.whl"))


def test_the_wheel_holds_kernels_for_several_processors_and_keeps_to_its_folder() -> None:
    wheel = llama_wheel.built_wheel()
    if wheel is None:
        pytest.skip("The wheel is not built: python -m build_engines.llama_wheel")
    names = zipfile.ZipFile(wheel).namelist()
    assert sum("/libggml-cpu-" in name for name in names) > 3
    assert {name.split("/")[0] for name in names} == {"llama_cpp", f"llama_cpp_python-{VERSION}.dist-info"}
