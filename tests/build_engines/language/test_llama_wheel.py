"""The wheel of llama.cpp: found again, keyed by what it was built from, refused with a remedy."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from build_engines.language import llama_wheel
from edge.errors import SourceError
from edge.language.library import VERSION
from edge.paths import CACHE_VARIABLE


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    return tmp_path


def test_the_packaging_names_the_same_version() -> None:
    setup = Path(__file__).parents[3] / "setup.py"
    assert re.findall(r"llama-cpp-python==([\d.]+)", setup.read_text()) == [VERSION]


ZEN4 = {
    *(
        "sse4_2",
        "avx",
        "f16c",
        "fma",
        "avx2",
        "bmi2",
        "avx_vnni",
        "avx512f",
        "avx512cd",
        "avx512vl",
        "avx512dq",
    ),
    *("avx512bw", "avx512vbmi", "avx512_vnni", "avx512_bf16"),
}


def put_wheel(recipe: llama_wheel.Recipe) -> Path:
    recipe.folder.mkdir(parents=True)
    wheel = recipe.folder / "llama_cpp_python.whl"
    wheel.write_bytes(b"made before")
    return wheel


def test_a_wheel_that_is_there_is_not_built_again(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "/nonexistent/g++")
    assert llama_wheel.built_wheel() is None
    own = llama_wheel.own_recipe()
    assert own.folder.is_relative_to(empty_cache)
    assert put_wheel(own) == llama_wheel.build_wheel()
    if own.variants != llama_wheel.recipe_for_all().variants:
        assert llama_wheel.built_wheel(for_all=True) is None


@pytest.mark.usefixtures("empty_cache")
def test_a_wheel_for_all_serves_this_processor_too() -> None:
    wheel = put_wheel(llama_wheel.recipe_for_all())
    assert llama_wheel.built_wheel() == wheel == llama_wheel.build_wheel(for_all=True)


@pytest.mark.usefixtures("empty_cache")
def test_a_wheel_for_another_processor_is_not_taken() -> None:
    own = set(llama_wheel.own_recipe().variants)
    for flags in (set(), {"sse4_2"}, ZEN4, {*ZEN4, "amx_tile", "amx_int8"}):
        recipe = llama_wheel.recipe_for("x86_64", flags)
        if set(recipe.variants) != own:
            put_wheel(recipe)
    assert llama_wheel.built_wheel() is None


def test_other_options_are_another_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = llama_wheel.own_recipe().folder
    monkeypatch.setitem(llama_wheel._OPTIONS, "GGML_OPENMP", "OFF")
    assert llama_wheel.own_recipe().folder != folder


def test_another_mending_of_the_source_is_another_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = llama_wheel.own_recipe().folder
    hook = tmp_path / "llama.cmake"
    hook.write_text(llama_wheel._HOOK.read_text() + "# more\n")
    monkeypatch.setattr(llama_wheel, "_HOOK", hook)
    assert llama_wheel.own_recipe().folder != folder


@pytest.mark.parametrize(
    ("machine", "flags", "variants"),
    [
        ("x86_64", set(), ("x64",)),
        ("x86_64", {"sse4_2"}, ("sse42",)),
        ("x86_64", {"sse4_2", "avx", "f16c"}, ("sse42", "ivybridge")),
        ("x86_64", {"sse4_2", "avx", "f16c", "fma", "avx2", "bmi2"}, ("sse42", "haswell")),
        # AVX2's loses a quarter of the speed; the plainest takes seven times as long.
        ("x86_64", ZEN4, ("sse42", "haswell", "zen4")),
        ("x86_64", {*ZEN4, "amx_tile", "amx_int8"}, ("sse42", "haswell", "sapphirerapids")),
        # A Jetson Orin's Cortex-A78AE, shortened.
        (
            "aarch64",
            {"fp", "asimd", "fphp", "asimdhp", "asimdrdm", "asimddp"},
            ("armv8.0_1", "armv8.2_2"),
        ),
        # A Raspberry Pi 4: what it lacks would kill the process.
        ("aarch64", {"fp", "asimd", "crc32"}, ("armv8.0_1",)),
        ("aarch64", set(), ("armv8.0_1",)),
    ],
)
def test_what_this_processor_runs_best_is_built_and_what_to_fall_back_on(
    machine: str, flags: set[str], variants: tuple[str, ...]
) -> None:
    recipe = llama_wheel.recipe_for(machine, flags)
    assert recipe.variants == variants
    assert recipe.name == variants[-1]
    assert recipe.options["ANOMALYGPT_EDGE_KERNELS"] == ";".join(variants)
    assert recipe.options["GGML_NATIVE"] == "OFF"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_for_a_stick_every_variant_is_built(machine: str) -> None:
    every = llama_wheel.recipe_for_all(machine)
    assert every.name == "all"
    assert set(every.variants) > set(llama_wheel.recipe_for(machine, {"sse4_2"}).variants)


def test_on_arm_no_variant_needs_a_compiler_that_jetpack_lacks() -> None:
    """All of ggml's would reach up to SME, which GCC 11, JetPack 6's, does not know."""
    assert set(llama_wheel.recipe_for_all("aarch64").variants) == {"armv8.0_1", "armv8.2_1", "armv8.2_2"}


def test_a_processor_of_another_kind_gets_one_build() -> None:
    options = llama_wheel.recipe_for("riscv64", {"v"}).options
    assert options["GGML_CPU_ALL_VARIANTS"] == "OFF"


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


def test_the_wheel_holds_the_kernels_of_its_recipe_and_keeps_to_its_folder() -> None:
    wheel = llama_wheel.built_wheel()
    if wheel is None:
        pytest.skip("The wheel is not built: python -m build_engines.language.llama_wheel")
    recipe = next(
        recipe for recipe in (llama_wheel.recipe_for_all(), llama_wheel.own_recipe()) if recipe.wheel == wheel
    )
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert archive.read("llama_cpp/lib/recipe.txt").decode().strip() == recipe.digest
    kernels = {name.rpartition("libggml-cpu-")[2] for name in names if "libggml-cpu-" in name}
    assert kernels == {f"{name}.so" for name in recipe.variants}
    assert {name.split("/")[0] for name in names} == {"llama_cpp", f"llama_cpp_python-{VERSION}.dist-info"}


TILES = """
#include <immintrin.h>
#include <cstdint>
struct tile_config_t {
    uint8_t palette_id = 0, start_row = 0, reserved_0[14] = {0};
    uint16_t colsb[16] = {0};
    uint8_t rows[16] = {0};
};
void tiles(int rows, int columns) {
    alignas(64) tile_config_t tc = {};
    tc.palette_id = 1;
    tc.rows[0] = (uint8_t) rows;
    tc.colsb[0] = (uint16_t) columns;
    %s
}
"""


def has_amx() -> bool:
    """Whether there is a compiler that knows AMX's tiles."""
    command = ["g++", "-mamx-tile", "-fsyntax-only", "-x", "c++", os.devnull]
    return shutil.which("g++") is not None and subprocess.run(command, check=False).returncode == 0


def stores(statement: str, tmp_path: Path) -> set[str]:
    """Which of the two arguments the compiled function stores; both arrive in registers."""
    source = tmp_path / "tiles.cpp"
    source.write_text(TILES % statement)
    command = ["g++", "-O3", "-mamx-tile", "-S", "-o", "-", str(source)]
    code = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    before, load, _ = code.partition("ldtilecfg")
    assert load, code
    return {
        name
        for name, register in (("rows", "%dil"), ("columns", "%si"))
        if f"movb\t{register}" in before or f"movw\t{register}" in before
    }


@pytest.mark.skipif(platform.machine() != "x86_64" or not has_amx(), reason="needs a compiler that knows AMX")
def test_the_mended_source_fills_the_tiles_before_it_loads_them(tmp_path: Path) -> None:
    """Without the barrier GCC 12 stores neither, and the first instruction on such a tile is fatal."""
    mended = re.search(r'mmq\.cpp\n\s*"(.*?)"\n\s*"(.*?)"\)\n', llama_wheel._HOOK.read_text(), re.DOTALL)
    assert mended is not None
    before, after = (text.replace('\\"', '"') for text in mended.groups())
    assert stores(after, tmp_path) == {"rows", "columns"}
    major = subprocess.run(["g++", "-dumpversion"], capture_output=True, text=True, check=True).stdout
    if major.startswith("12"):
        assert stores(before, tmp_path) == set()


@pytest.mark.skipif(
    shutil.which("cmake") is None, reason="CMake is not installed: the wheel's build brings its own."
)
@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("int one;\n    _tile_loadconfig(&tc);\n", ""),
        (
            "    _tile_loadconfig(&tc); _tile_loadconfig(&other);\n    _tile_loadconfig(&tc);\n",
            "cannot be mended",
        ),
        ("// nothing of the kind\n", "cannot be mended"),
    ],
)
def test_a_source_that_the_mending_does_not_fit_is_refused(source: str, fault: str, tmp_path: Path) -> None:
    files = {
        "ggml/src/ggml-cpu/amx/mmq.cpp": source,
        "ggml/src/CMakeLists.txt": "function(ggml_add_cpu_backend_variant tag_name)\nendfunction()\n",
        "src/CMakeLists.txt": "target_include_directories(llama PRIVATE . ${CMAKE_CURRENT_BINARY_DIR})\n",
        "CMakeLists.txt": "cmake_minimum_required(VERSION 3.14)\nproject(llama.cpp NONE)\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    options = [
        f"-DCMAKE_PROJECT_llama.cpp_INCLUDE={llama_wheel._HOOK}",
        "-DANOMALYGPT_EDGE_RECIPE=CMakeLists.txt",
    ]
    done = subprocess.run(
        ["cmake", "-S", str(tmp_path), "-B", str(tmp_path / "build"), *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == (not fault)
    assert fault in done.stderr
    if not fault:
        mended = (tmp_path / "ggml/src/ggml-cpu/amx/mmq.cpp").read_text()
        assert mended.index("memory") < mended.index("_tile_loadconfig")
