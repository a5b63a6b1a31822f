"""``accept`` and ``compile``: as far as this machine goes, and every line of the way beyond it.

Beyond it stands the GPU of host memory (``tests/edge/vision/tensorrt/host.py``), so that the commands' own
lines have run before anyone waits for them on a target. What it measures there is worth nothing.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from build_engines.__main__ import main
from build_engines.graph.cut import cut
from build_engines.parity.labelled import LabelledProduct, rendered_set
from build_engines.tensorrt import acceptance
from build_engines.tensorrt.acceptance import STEPS, Acceptance, AcceptanceStep, Acceptor
from build_engines.tensorrt.acceptance_report import acceptance_report
from build_engines.tensorrt.plan_parity import PlanParity
from build_engines.tensorrt.plans import PlanRequest, prepared
from edge.bundle import Bundle
from edge.paths import CACHE_VARIABLE
from edge.vision.tensorrt.compiled import folder_of, read_compilation, write_compilation
from edge.vision.tensorrt.engine import TensorRtEngine
from tests.build_engines.tiny import PATCH, SIZE
from tests.edge.vision.tensorrt.host import HostCuda, OnnxExecution

PATCHES = (SIZE // PATCH) ** 2


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def products() -> list[LabelledProduct]:
    return list(rendered_set(products=2, parts=2))


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tensorrt", "cuda.bindings", "pycuda"):
        monkeypatch.setitem(sys.modules, name, None)


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> str:
    """What the command says where it fails; empty where it does not."""
    monkeypatch.setattr("sys.argv", ["build_engines", *(str(a) for a in arguments)])
    try:
        main()
    except SystemExit as end:
        return str(end.code)
    return ""


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_it_goes_as_far_as_it_can_and_does_not_accept(
    learned_bundle: Bundle, products: list[LabelledProduct], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("build_engines.parity.labelled.rendered_set", lambda: products)
    report = tmp_path / "acceptance.md"
    said = call(monkeypatch, "accept", learned_bundle.path, "--out", report)
    assert said.startswith(
        "error: Not accepted: tensorrt, gpu, plans, engine, parity, latency could not be run"
    )
    lines = report.read_text().splitlines()
    assert lines[0] == f"# {learned_bundle.id} in fp32"
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    outcomes = {row[0]: row[1] for row in rows}
    assert outcomes["halves"] == outcomes["reference"] == "done"
    assert {outcomes[name] for name in STEPS[2:]} == {"not possible here"}
    assert "Needs tensorrt, gpu." in report.read_text()


@pytest.mark.usefixtures("no_gpu")
def test_nothing_is_compiled_without_tensorrt(
    learned_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = call(monkeypatch, "compile", learned_bundle.path)
    assert said.startswith("error: TensorRT cannot be imported: ")
    assert "\n" not in said
    assert not folder_of(learned_bundle, "fp32").exists()


class Stand:
    """A target of host memory: what the acceptance needs of it, and how wrong its encoder shall be."""

    def __init__(self, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, spread: float = 0.0) -> None:
        self.bundle, self.spread = bundle, spread
        monkeypatch.setattr(acceptance, "load_tensorrt", lambda: SimpleNamespace(__version__="10.3.0"))
        monkeypatch.setattr(acceptance, "open_cuda", lambda device: HostCuda())  # noqa: ARG005
        monkeypatch.setattr(acceptance, "compile_bundle", self.compile)
        monkeypatch.setattr(TensorRtEngine, "open", self.open)

    def compile(self, bundle: Bundle, precision: str, wish: PlanRequest, *_: object, **__: object) -> None:
        compilation, _contents = prepared(bundle, precision, wish)  # type: ignore[arg-type]
        write_compilation(folder_of(bundle, precision), compilation)  # type: ignore[arg-type]

    def open(self, bundle: Bundle, precision: str, device: int, **_: object) -> TensorRtEngine:  # noqa: ARG002
        cuda = HostCuda()
        whole = onnx.load(bundle.file(bundle.graph("fp32").file))
        encoder, head = cut(whole, PATCHES)
        if self.spread:
            _worsen(encoder, self.spread)
        halves = OnnxExecution(encoder, cuda, 1), OnnxExecution(head, cuda, 1 << 14)
        return TensorRtEngine(bundle, *halves, "fp32", cuda)


def _worsen(encoder: onnx.ModelProto, spread: float) -> None:
    """A build that went wrong: every large weight is off by a share of itself."""
    rng = np.random.default_rng(0)
    for weight in encoder.graph.initializer:
        array = numpy_helper.to_array(weight)
        if array.size > 1000:
            noisy = array * (1 + spread * rng.standard_normal(array.shape)).astype(array.dtype)
            weight.CopyFrom(numpy_helper.from_array(noisy, weight.name))


def accepted(bundle: Bundle, products: list[LabelledProduct]) -> Acceptance:
    said: list[AcceptanceStep] = []
    found = Acceptor(bundle, "fp32", products, wish=PlanRequest(), rounds=10, say=said.append).run()
    assert [step.name for step in found.steps] == list(STEPS)
    assert said == found.steps
    return found


def test_plans_that_compute_rightly_are_accepted_and_remembered(
    learned_bundle: Bundle, products: list[LabelledProduct], monkeypatch: pytest.MonkeyPatch
) -> None:
    Stand(learned_bundle, monkeypatch)
    found = accepted(learned_bundle, products)
    assert found.accepted, found.steps
    assert found.parity is not None
    assert found.parity.cosine_mean > 0.9999
    assert found.parity.images == 8
    assert read_compilation(learned_bundle, "fp32").passed is True
    report = acceptance_report(found)
    assert "**Accepted.**" in report
    for words in (
        "patch cosine, mean of 8 images",
        "one image, encoder and head",
        "| process |",
        "image AUROC",
    ):
        assert words in report


def test_plans_that_compute_wrongly_are_not_and_are_not_taken_again(
    learned_bundle: Bundle, products: list[LabelledProduct], monkeypatch: pytest.MonkeyPatch
) -> None:
    Stand(learned_bundle, monkeypatch, spread=0.5)
    found = accepted(learned_bundle, products)
    assert found.verdict == "Not accepted: parity failed."
    assert "Mean patch cosine" in next(s.detail for s in found.steps if s.name == "parity")
    assert read_compilation(learned_bundle, "fp32").passed is False
    assert found.latency_ms == {}


RIGHT = PlanParity(
    images=8,
    cosine_mean=0.99995,
    cosine_min=0.99,
    map_difference=1e-6,
    auroc=0.95,
    auroc_reference=0.952,
    repeatable=True,
)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, []),
        ({"auroc": None, "auroc_reference": None}, []),  # images without labels
        ({"cosine_mean": 0.9998}, ["Mean patch cosine 0.99980, limit 0.9999."]),
        ({"cosine_mean": float("nan")}, ["Mean patch cosine nan"]),
        ({"map_difference": 0.002}, ["Maps differ by 2.0e-03"]),  # the head in TF32, for one
        ({"map_difference": float("nan")}, ["Maps differ by nan"]),
        ({"auroc": 0.94}, ["Image AUROC 0.9400, fp32 0.9520."]),
        ({"repeatable": False}, ["same bits"]),
        ({"cosine_mean": 0.5, "repeatable": False}, ["Mean patch cosine", "same bits"]),
    ],
)
def test_every_limit_is_held(change: dict[str, Any], words: list[str]) -> None:
    failures = replace(RIGHT, **change).failures("fp32")
    assert len(failures) == len(words)
    assert all(word in failure for word, failure in zip(words, failures, strict=True))
