"""What is called of TensorRT and of CUDA exists, with those arguments, in the versions of both JetPacks.

The bindings are the real ones, over empty libraries: they tell every name and signature, and compute nothing.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import edge.vision.tensorrt
from tests.tensorrt_packages.calls import Use, uses_in, uses_of
from tests.tensorrt_packages.fetched import (
    CUDA_12,
    CUDA_13,
    JETPACK_6,
    JETPACK_7,
    environment,
    stubs,
    unpacked,
)

OURS = Path(edge.vision.tensorrt.__path__[0])
VERSIONS = {"10.3": (JETPACK_6, 10), "11": (JETPACK_7, 11)}


def held_against(version: str, uses: list[Use], folder: Path) -> dict[str, Any]:
    requirements, major = VERSIONS[version]
    done = subprocess.run(
        [sys.executable, "-m", "tests.tensorrt_packages.signatures"],
        input=json.dumps([dataclasses.asdict(use) for use in uses]),
        env=environment(unpacked(requirements), stubs(folder, major)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("version", VERSIONS)
def test_every_call_exists_with_its_arguments(version: str, tmp_path: Path) -> None:
    result = held_against(version, uses_of(OURS), tmp_path)
    assert result["version"].startswith(version)
    assert result["complaints"] == []


def test_the_uses_are_found() -> None:
    """The reading of our own code sees what a person sees in it."""
    paths = {use.path for use in uses_of(OURS)}
    assert paths >= {
        "Builder",
        "Builder.build_serialized_network",
        "BuilderFlag.TF32",
        "IBuilderConfig.progress_monitor",
        "IProgressMonitor.step_complete",
        "ILogger.log",
        "IExecutionContext.execute_async_v3",
        "ITimingCache.serialize",
        "Runtime.deserialize_cuda_engine",
        "NetworkDefinitionCreationFlag.STRONGLY_TYPED",
    }
    assert len(paths) > 40


WRONG = [
    # What 11 has dropped, and 10.3 still has.
    (
        "config: trt.IBuilderConfig, tensorrt",
        "config.set_flag(tensorrt.BuilderFlag.FP16)",
        "BuilderFlag.FP16",
    ),
    ("engine: trt.ICudaEngine", "print(engine.device_memory_size)", "ICudaEngine.device_memory_size"),
    ("config: trt.IBuilderConfig", "config.int8_calibrator = None", "IBuilderConfig.int8_calibrator"),
    # What neither has.
    ("builder: trt.Builder", "builder.build_network()", "Builder.build_network does not exist"),
    ("context: trt.IExecutionContext", "context.execute_async_v3()", "takes no 0 arguments"),
    ("tensorrt, log", "tensorrt.Builder(log, 1)", "takes no 2 arguments"),
    ("runtime: trt.Runtime", "engine = runtime.deserialize_cuda_engine(b'')", "annotate what it is kept as"),
    ("tensorrt", "class L(tensorrt.ILogger):\n        def log(self, msg): ...", "overridden with 1"),
]


def test_a_call_that_does_not_fit_is_told(tmp_path: Path) -> None:
    uses = [
        uses_in(f"wrong{number}.py", f"def f({names}):\n    {line}")
        for number, (names, line, _) in enumerate(WRONG)
    ]
    said = held_against("11", [use for each in uses for use in each], tmp_path)["complaints"]
    for number, (_, line, words) in enumerate(WRONG):
        own = [each for each in said if each.startswith(f"wrong{number}.py")]
        assert any(words in each for each in own), f"{line}: {own}"


def cuda_uses() -> list[tuple[str, str, int | None]]:
    """Where ``self._runtime.…`` or ``runtime.…`` stands, of what, and with how many arguments."""
    tree = ast.parse((OURS / "cuda_python.py").read_text())
    called = {id(node.func): len(node.args) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = {"self._runtime", "runtime", "kinds"}
    return [
        (
            f"cuda_python.py:{node.lineno}",
            f"cudaDeviceAttr.{node.attr}" if owner == "kinds" else node.attr,
            called.get(id(node)),
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and (owner := ast.unparse(node.value)) in names
    ]


@pytest.mark.parametrize("requirements", [CUDA_12, CUDA_13], ids=["12", "13"])
def test_every_call_of_cuda_exists_and_no_gpu_is_one_clear_line(requirements: tuple[str, ...]) -> None:
    uses = cuda_uses()
    assert len({name for _, name, _ in uses}) > 20
    done = subprocess.run(
        [sys.executable, "-m", "tests.tensorrt_packages.cuda_signatures"],
        input=json.dumps(uses),
        env=environment(unpacked(requirements)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert f"cuda-bindings=={result['version']}" == requirements[-1]
    assert result["complaints"] == []
    # Where the tests run on a machine with a GPU, it opens.
    assert not result["refusal"] or result["refusal"].startswith("CUDA failed while finding a GPU: ")
    assert "\n" not in result["refusal"]
