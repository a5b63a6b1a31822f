"""Plans on disk: found by what they are good for, else built again, else refused.

The plans are real ones, of TensorRT-RTX, which builds without a GPU.
"""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from build_engines.tensorrt.plans import PlanRequest, compile_bundle
from edge.bundle import Bundle
from edge.errors import BundleError, EngineError
from edge.paths import CACHE_VARIABLE
from edge.vision.tensorrt.build import LengthSpan
from edge.vision.tensorrt.compiled import (
    RECORD_NAME,
    Compilation,
    compiled_precisions,
    folder_of,
    read_compilation,
)
from edge.vision.tensorrt.cuda_opening import open_cuda
from edge.vision.tensorrt.execution import load_execution
from edge.vision.tensorrt.plans import PlanKey, UnusablePlanError, plan_path, read_plan
from edge.vision.tensorrt.ready import GpuTarget, compiled_precision, ready_plan
from tests.tensorrt_packages.fetched import RTX, unpacked

# Only RTX leaves the timings away.
pytestmark = pytest.mark.filterwarnings("ignore:.*no-ops in TensorRT-RTX:DeprecationWarning")

WISH = PlanRequest(bank_rows=256, workspace_mb=256)


@pytest.fixture(scope="module")
def rtx() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(unpacked(RTX))
        yield importlib.import_module("tensorrt_rtx_bindings")


@pytest.fixture(scope="module")
def compiled_once(rtx: Any, learned_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which the bundle was compiled."""
    cache = tmp_path_factory.mktemp("compiled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(cache))
        compile_bundle(learned_bundle, "fp32", WISH, GpuTarget(rtx, "8.9", "a GPU"))
    return cache


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def target(rtx: Any) -> GpuTarget:
    """An RTX 40 that nobody has asked."""
    return GpuTarget(rtx, "8.9", "a GPU")


@pytest.fixture
def compilation(learned_bundle: Bundle, own_cache: Path, compiled_once: Path) -> Compilation:
    """The bundle, compiled in the test's own cache."""
    shutil.copytree(compiled_once, own_cache)
    return read_compilation(learned_bundle, "fp32")


def compiled(bundle: Bundle, target: GpuTarget, **options: Any) -> tuple[Compilation, list[str]]:
    said: list[str] = []
    return compile_bundle(bundle, "fp32", WISH, target, say=said.append, **options), said


def ready(bundle: Bundle, target: GpuTarget, name: str = "head") -> bytes:
    """A half's plan, as far as this machine can tell whether it loads."""
    folder = folder_of(bundle, "fp32")
    return ready_plan(folder, read_compilation(bundle, "fp32"), name, target, load=lambda plan: plan)


def test_what_is_compiled_is_there_and_the_second_time_nothing_is_done(
    learned_bundle: Bundle, target: GpuTarget
) -> None:
    compilation, said = compiled(learned_bundle, target)
    assert [line.split(" in ")[0] for line in said] == ["fp32 encoder: built", "fp32 head: built"]
    assert read_compilation(learned_bundle, "fp32") == compilation
    assert compiled_precisions(learned_bundle) == ("fp32",)
    assert compiled_precision(learned_bundle) == "fp32"
    first = ready(learned_bundle, target)
    assert len(first) > 10_000

    _, said = compiled(learned_bundle, target)
    assert said == ["fp32 encoder: up to date", "fp32 head: up to date"]
    _, said = compiled(learned_bundle, target, force=True)
    assert said[0].startswith("fp32 encoder: built")


@pytest.mark.usefixtures("compilation")
def test_another_wish_is_another_plan(learned_bundle: Bundle, target: GpuTarget) -> None:
    said: list[str] = []
    compile_bundle(learned_bundle, "fp32", PlanRequest(bank_rows=512), target, say=said.append)
    assert said[1].startswith("fp32 head: built")


def test_a_damaged_plan_is_built_again(
    learned_bundle: Bundle, target: GpuTarget, compilation: Compilation, caplog: pytest.LogCaptureFixture
) -> None:
    path = plan_path(folder_of(learned_bundle, "fp32"), target.key("head", compilation.head))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    again = ready(learned_bundle, target)
    assert f"{path.name} is damaged" in caplog.text
    assert "being rebuilt" in caplog.text
    assert path.read_bytes() == again == ready(learned_bundle, target)


@pytest.mark.parametrize("damage", ["note", "both"])
def test_a_plan_without_its_note_is_built_again(
    learned_bundle: Bundle, target: GpuTarget, compilation: Compilation, damage: str
) -> None:
    path = plan_path(folder_of(learned_bundle, "fp32"), target.key("head", compilation.head))
    note = path.with_name(f"{path.name}.json")
    if damage == "note":
        note.write_text("{")
    else:
        note.unlink()
        path.unlink()
    assert ready(learned_bundle, target) == path.read_bytes()


def test_a_note_of_another_plan_does_not_vouch(
    learned_bundle: Bundle, target: GpuTarget, compilation: Compilation
) -> None:
    """Copied by hand to the name that is looked for, its content is right and its key is not."""
    folder = folder_of(learned_bundle, "fp32")
    own = plan_path(folder, target.key("head", compilation.head))
    other = target.key("head", compilation.head.model_copy(update={"span": LengthSpan(1, 2, 3)}))
    for suffix in ("", ".json"):
        source = own.with_name(own.name + suffix)
        plan_path(folder, other).with_name(plan_path(folder, other).name + suffix).write_bytes(
            source.read_bytes()
        )
    with pytest.raises(UnusablePlanError, match="is damaged"):
        read_plan(folder, other)


class Newer:
    """The same library under another version's number."""

    __version__ = "1.8.0.1"

    def __init__(self, library: Any) -> None:
        self._library = library

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)


@pytest.mark.parametrize("change", ["version", "gpu"])
@pytest.mark.usefixtures("compilation")
def test_plans_of_another_version_or_gpu_are_built_again_beside_the_old_ones(
    learned_bundle: Bundle, target: GpuTarget, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    moved = (
        GpuTarget(Newer(target.tensorrt), "8.9", "a GPU")
        if change == "version"
        else GpuTarget(target.tensorrt, "8.7", "Orin")
    )
    assert ready(learned_bundle, moved)
    here = "TensorRT 1.8.0.1, compute capability 8.9" if change == "version" else "compute capability 8.7"
    assert here in caplog.text
    assert "there is one for TensorRT 1.7.1.116, compute capability 8.9 (a GPU)" in caplog.text
    caplog.clear()
    assert ready(learned_bundle, moved)
    assert ready(learned_bundle, target)
    assert not caplog.text


@pytest.mark.parametrize("damage", ["missing", "damaged"])
@pytest.mark.usefixtures("compilation")
def test_without_the_half_a_useless_plan_is_refused(
    learned_bundle: Bundle, target: GpuTarget, damage: str
) -> None:
    half = folder_of(learned_bundle, "fp32") / "head.onnx"
    half.unlink() if damage == "missing" else half.write_bytes(half.read_bytes()[:-1])
    assert ready(learned_bundle, target)  # The plan itself is well.
    with pytest.raises(
        EngineError, match=r"There is no plan of the head for .* 8\.7; .*cannot be built again"
    ) as caught:
        ready(learned_bundle, GpuTarget(target.tensorrt, "8.7", "Orin"))
    assert "build_engines compile tiny --precision fp32" in caught.value.remedy


def test_what_tensorrt_does_not_load_is_built_again_once_and_then_refused(
    learned_bundle: Bundle, target: GpuTarget, compilation: Compilation, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        open_cuda().close()
        pytest.skip("this machine has a GPU, which loads them")
    except EngineError:
        pass
    with pytest.raises(EngineError, match="cannot load the plan of the encoder that it has just built"):
        ready_plan(
            folder_of(learned_bundle, "fp32"),
            compilation,
            "encoder",
            target,
            load=lambda plan: load_execution(target.tensorrt, plan, "encoder"),
        )
    assert "TensorRT does not load the plan of the encoder, which was built for" in caplog.text


@pytest.mark.usefixtures("compilation")
def test_plans_of_another_graph_are_refused(learned_bundle: Bundle) -> None:
    path = folder_of(learned_bundle, "fp32") / RECORD_NAME
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "graph": "0" * 64}))
    with pytest.raises(EngineError, match="a different graph than the bundle's"):
        read_compilation(learned_bundle, "fp32")
    path.write_text(json.dumps({**record, "version": 2}))
    with pytest.raises(EngineError, match="version"):
        read_compilation(learned_bundle, "fp32")


def test_a_precision_that_failed_on_the_target_is_not_taken_by_itself(
    learned_bundle: Bundle, target: GpuTarget
) -> None:
    from build_engines.tensorrt.plan_parity import record_gate

    with pytest.raises(EngineError, match="no TensorRT plans on this machine that passed") as caught:
        compiled_precision(learned_bundle)
    assert "build_engines compile tiny" in caught.value.remedy
    compiled(learned_bundle, target)
    record_gate(learned_bundle, "fp32", False)
    with pytest.raises(EngineError, match="that passed"):
        compiled_precision(learned_bundle)
    compiled(learned_bundle, target)  # The same plans: they are as wrong as before.
    with pytest.raises(EngineError, match="that passed"):
        compiled_precision(learned_bundle)
    with pytest.raises(EngineError, match="failed when they were measured here"):
        compiled_precision(learned_bundle, "fp32")
    assert compiled_precision(learned_bundle, "fp32", accept_failed_parity=True) == "fp32"
    record_gate(learned_bundle, "fp32", True)
    assert compiled_precision(learned_bundle) == "fp32"


def test_what_cannot_be_compiled_says_why(learned_bundle: Bundle, target: GpuTarget) -> None:
    with pytest.raises(EngineError, match="bf16 is for CPUs"):
        compile_bundle(learned_bundle, "bf16", WISH, target)
    with pytest.raises(EngineError, match="int8 is for CPUs"):
        compile_bundle(learned_bundle, "int8", WISH, target)
    with pytest.raises(BundleError, match="no fp16 graph"):
        compile_bundle(learned_bundle, "fp16", WISH, target)
    assert compiled_precisions(learned_bundle) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"half": "head"},
        {"graph": "1" * 64},
        {"tensorrt": "10.3.1"},
        {"capability": "8.9"},
        {"span": LengthSpan(1, 1, 4)},
    ],
)
def test_every_part_of_the_key_tells_plans_apart(change: dict[str, Any]) -> None:
    plain: dict[str, Any] = {
        "half": "encoder",
        "graph": "0" * 64,
        "tensorrt": "10.3.0",
        "capability": "8.7",
        "span": LengthSpan(1, 1, 1),
    }
    assert PlanKey(**plain).digest == PlanKey(**plain).digest
    assert PlanKey(**plain).digest != PlanKey(**{**plain, **change}).digest


@pytest.mark.parametrize(
    ("version", "words"), [("1.7.1.116", "is too old; 10.3 is the oldest"), ("10.0.1", "is too old")]
)
def test_a_tensorrt_that_is_too_old_is_refused(
    version: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge.vision.tensorrt.library import load_tensorrt

    monkeypatch.setitem(sys.modules, "tensorrt", SimpleNamespace(__version__=version))
    with pytest.raises(EngineError, match=words):
        load_tensorrt()
