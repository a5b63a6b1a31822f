"""The wheel of llama.cpp: found again, keyed by what it was built from, refused with a remedy."""

from __future__ import annotations

import platform
import re
import zipfile
from pathlib import Path

import pytest

from build_engines import llama_wheel
from edge.errors import SourceError
from edge.language.library import VERSION
from edge.paths import CACHE_VARIABLE
from edge.processor import cpu_flags


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


@pytest.mark.parametrize(
    ("flags", "generation"),
    [
        # A Jetson Orin's Cortex-A78AE, shortened.
        ({"fp", "asimd", "fphp", "asimdhp", "asimdrdm", "asimddp"}, "armv8.2-a+dotprod+fp16"),
        ({"fp", "asimd", "crc32"}, "armv8-a"),  # a Raspberry Pi 4: what it lacks would kill the process
        (set(), "armv8-a"),
    ],
)
def test_on_arm_one_generation_is_built(flags: set[str], generation: str) -> None:
    """All of them would reach up to SME, which GCC 11, JetPack 6's, does not know."""
    options = llama_wheel.build_options("aarch64", flags)
    assert options["GGML_CPU_ALL_VARIANTS"] == "OFF"
    assert options["GGML_CPU_ARM_ARCH"] == generation
    assert options["GGML_NATIVE"] == "OFF"


def test_elsewhere_every_generation_is_built() -> None:
    options = llama_wheel.build_options("x86_64", {"avx2"})
    assert options["GGML_CPU_ALL_VARIANTS"] == "ON" and "GGML_CPU_ARM_ARCH" not in options


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
    if llama_wheel.build_options(platform.machine(), cpu_flags())["GGML_CPU_ALL_VARIANTS"] == "ON":
        assert sum("/libggml-cpu-" in name for name in names) > 3
    assert {name.split("/")[0] for name in names} == {"llama_cpp", f"llama_cpp_python-{VERSION}.dist-info"}
