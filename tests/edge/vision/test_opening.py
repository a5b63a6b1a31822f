"""Which runtime is taken, and that it says so."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge.bundle import Bundle
from edge.errors import EngineError
from edge.paths import CACHE_VARIABLE
from edge.vision.opening import choose_runtime, described, open_engine


@pytest.fixture
def no_tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT as JetPack 6 has it, on a machine whose CUDA packages are missing."""
    monkeypatch.setitem(sys.modules, "tensorrt", SimpleNamespace(__version__="10.3.0"))
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    monkeypatch.setitem(sys.modules, "pycuda", None)


@pytest.mark.usefixtures("no_tensorrt")
def test_without_tensorrt_auto_takes_openvino_and_says_why(tiny_bundle: Bundle) -> None:
    choice = choose_runtime(tiny_bundle)
    assert choice.runtime == "openvino"
    assert choice.reason.startswith("TensorRT cannot be imported: ")


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_auto_takes_openvino_and_says_why(tiny_bundle: Bundle) -> None:
    choice = choose_runtime(tiny_bundle)
    assert choice.runtime == "openvino"
    assert choice.reason.startswith("No NVIDIA GPU can be used: cuda-python: ")
    assert "pycuda: " in choice.reason


def test_a_cpus_own_precision_is_computed_there(tiny_bundle: Bundle) -> None:
    assert choose_runtime(tiny_bundle, precision="bf16").runtime == "openvino"


@pytest.mark.usefixtures("no_gpu")
def test_what_is_asked_for_is_taken_or_refused_never_replaced(tiny_bundle: Bundle) -> None:
    assert choose_runtime(tiny_bundle, "openvino").runtime == "openvino"
    assert choose_runtime(tiny_bundle, "tensorrt").runtime == "tensorrt"
    with pytest.raises(EngineError, match="No NVIDIA GPU can be used"):
        open_engine(tiny_bundle, "tensorrt")


@pytest.mark.usefixtures("no_tensorrt")
def test_an_engine_describes_itself(tiny_bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "edge.vision.opening"):
        engine = open_engine(tiny_bundle, threads=1)
    assert described(engine) == "openvino fp32 on CPU"
    assert "openvino fp32 on CPU. TensorRT cannot be imported" in caplog.text
    engine.close()


def test_a_gpu_without_plans_is_named_with_what_would_make_them(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr("edge.vision.tensorrt.ready.answering_gpu", lambda: "Orin")
    choice = choose_runtime(tiny_bundle)
    assert choice.runtime == "openvino"
    assert choice.reason.startswith("Orin answers. Bundle tiny has no TensorRT plans")
    assert "python -m build_engines compile tiny" in choice.reason
