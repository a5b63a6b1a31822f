"""Fetches NVIDIA's wheels into the cache and unpacks them there: nothing is installed beside the project.

``tensorrt-rtx`` (95 MB; NVIDIA's own licence, so that it is never passed on) has the parser and the builder
of the full TensorRT and builds without a GPU. ``tensorrt-cu12-bindings`` and ``tensorrt-cu13-bindings`` are
the Python faces of JetPack 6's and JetPack 7's TensorRT: every name and signature, no library behind them.
``polygraphy`` (Apache-2.0) is TensorRT's own linter of ONNX files.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edge.fetch import scratch_folder
from edge.paths import cache_dir

RTX = ("tensorrt-rtx-cu13-libs==1.7.1.116", "tensorrt-rtx-cu13-bindings==1.7.1.116")
JETPACK_6 = ("tensorrt-cu12-bindings==10.3.0",)
POLYGRAPHY = ("onnx-graphsurgeon==0.6.1", "polygraphy==0.53.6")
CUDA_12 = ("cuda-bindings==12.8.0",)
CUDA_13 = ("cuda-pathfinder==1.9.1", "cuda-bindings==13.5.0")
JETPACK_7 = ("tensorrt-cu13-bindings==11.4.0.106",)

# What the bindings want of TensorRT's own libraries when they are imported.
_LIBRARIES = ("libnvinfer", "libnvonnxparser", "libnvinfer_plugin")
_FUNCTIONS = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
)


def unpacked(requirements: tuple[str, ...]) -> Path:
    """A folder for ``PYTHONPATH`` with these wheels in it; skips where pip cannot get them here."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("NVIDIA's wheels that the tests use are for Linux on x86-64")
    version = f"cp{sys.version_info.major}{sys.version_info.minor}"
    target = cache_dir() / "nvidia" / f"{requirements[-1].replace('==', '-')}-{version}"
    if target.is_dir():
        return target
    with scratch_folder(target.parent) as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary", ":all:", "--dest", str(scratch), *requirements]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"pip cannot get {' '.join(requirements)}: {done.stderr.strip().splitlines()[-1]}")
        whole = scratch / "whole"
        for wheel in scratch.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(whole)
        try:
            whole.replace(target)
        except OSError:
            if not target.is_dir():  # Otherwise another process was faster, with the same content.
                raise
    return target


def stubs(folder: Path, major: int) -> Path:
    """Shared objects that stand where TensorRT's libraries would: enough to import the bindings."""
    source = folder / "stubs.c"
    source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in _FUNCTIONS))
    for library in _LIBRARIES:
        soname = f"{library}.so.{major}"
        command = ["cc", "-shared", "-fPIC", str(source), "-o", str(folder / soname), f"-Wl,-soname,{soname}"]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except FileNotFoundError:
            pytest.skip("there is no C compiler to make the stubs with")
    return folder


def environment(package: Path, libraries: Path | None = None) -> dict[str, str]:
    """Of a process that imports what was unpacked, beside what this one imports."""
    python_path = os.pathsep.join([str(package), *(p for p in sys.path if p)])
    found = {**os.environ, "PYTHONPATH": python_path}
    if libraries is not None:
        found["LD_LIBRARY_PATH"] = str(libraries)
    return found
