"""TensorRT's parser and builder take every graph that a preset makes, and name what they do not take.

By TensorRT-RTX, which has both and builds without a GPU; that a plan also *computes* rightly is for
``python -m build_engines accept`` on the target to say.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from build_engines.assembly.export import vision_graph
from build_engines.encoders.random_vit import random_vit
from build_engines.graph.cut import cut, free_length
from build_engines.graph.onnx_writer import FLOAT, GraphWriter
from build_engines.precision.float16 import as_float16
from build_engines.precision.int8_symmetric import as_symmetric
from build_engines.precision.quantize import quantized
from build_engines.presets import Preset, load_preset, preset_names
from edge.bundle import Bundle
from edge.choices import Precision
from edge.vision.tensorrt.compiled import FASTEST_FIRST
from tests.build_engines.learned_weights import random_learned
from tests.build_engines.tiny import PATCH, SIZE
from tests.tensorrt_packages.fetched import RTX, environment, unpacked

BATCH, ROWS = (1, 1, 4), (1, 1024, 16384)


@pytest.fixture(scope="module")
def rtx() -> Path:
    return unpacked(RTX)


def build(rtx: Path, *jobs: dict[str, Any]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.tensorrt_packages.rtx_build"],
        input=json.dumps(jobs),
        env=environment(rtx),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results: list[dict[str, Any]] = json.loads(done.stdout)
    return results


def jobs_of(graph: onnx.ModelProto, patches: int, folder: Path, label: str) -> Iterator[dict[str, Any]]:
    for half, span in zip(cut(graph, patches), (BATCH, ROWS), strict=True):
        path = folder / f"{label}.{half.graph.name}.onnx"
        onnx.save(half, str(path))
        yield {"graph": str(path), "name": half.graph.name, "span": span if free_length(half) else (1, 1, 1)}


def graphs_of(preset: Preset) -> dict[Precision, onnx.ModelProto]:
    """What a preset's files hold, by precision: random weights in its shapes, one layer of them.

    Every layer has the same operators and shapes, so that more of them would only take longer; the default
    bundle is built in its whole depth below.
    """
    assert preset.architecture is not None
    one = preset.architecture.model_copy(update={"layers": 1})
    vit = random_vit(preset.model_copy(update={"architecture": one}))
    whole = vision_graph(vit, preset.input_size, (0,), random_learned(taps=1, width=vit.width))
    image = np.random.default_rng(0).integers(0, 256, (1, *preset.input_size, 3), np.uint8)
    return {
        "fp32": whole,
        "fp16": as_float16(whole),
        "int8-symmetric": as_symmetric(quantized(whole, [image])),
    }


@pytest.mark.parametrize("name", preset_names())
def test_every_presets_halves_build_in_every_precision(rtx: Path, name: str, tmp_path: Path) -> None:
    preset = load_preset(name)
    graphs = graphs_of(preset)
    assert set(graphs) == set(FASTEST_FIRST) >= set(preset.precisions) & set(FASTEST_FIRST)
    assert preset.architecture is not None
    assert_builds(
        rtx, graphs, math.prod(side // preset.architecture.patch for side in preset.input_size), tmp_path
    )


def test_the_default_bundle_builds_in_its_whole_depth(
    rtx: Path, default_bundle: Bundle, tmp_path: Path
) -> None:
    manifest = default_bundle.manifest
    compiled = set(FASTEST_FIRST) & set(manifest.graphs)
    graphs = {p: onnx.load(default_bundle.file(default_bundle.graph(p).file)) for p in compiled}
    assert_builds(rtx, graphs, math.prod(manifest.encoder.grid), tmp_path)


def assert_builds(rtx: Path, graphs: dict[Precision, onnx.ModelProto], patches: int, folder: Path) -> None:
    jobs = {
        f"{precision} {job['name']}": job
        for precision, graph in graphs.items()
        for job in jobs_of(graph, patches, folder, precision)
    }
    assert len(jobs) == 2 * len(graphs)
    for label, result in zip(jobs, build(rtx, *jobs.values()), strict=True):
        assert result.get("plan_bytes", 0) > 10_000, f"{label}: {result.get('error')}"


def test_a_build_says_how_far_it_is_and_keeps_its_timings(
    rtx: Path, learned_bundle: Bundle, tmp_path: Path
) -> None:
    job = next(jobs_of(graph_of(learned_bundle), (SIZE // PATCH) ** 2, tmp_path, "fp32"))
    (first,) = build(rtx, job)
    assert first["steps"]
    assert all(step.startswith("encoder: ") for step in first["steps"])
    assert first["timing_bytes"] > 0
    (tmp_path / "damaged.cache").write_bytes(b"no timings of this version")
    (again,) = build(rtx, {**job, "timings": str(tmp_path / "damaged.cache")})
    assert again["plan_bytes"] > 10_000


def test_an_operator_that_tensorrt_lacks_is_named(rtx: Path, tmp_path: Path) -> None:
    writer = GraphWriter()
    angles = writer.node("Det", "image", name="odd.determinant")
    writer.node("Relu", angles, name="features")
    model = writer.model("encoder", [("image", FLOAT, [2, 3, 3])], [("features", FLOAT, [2])])
    onnx.save(model, str(tmp_path / "odd.onnx"))
    (result,) = build(rtx, {"graph": str(tmp_path / "odd.onnx"), "name": "encoder", "span": (1, 1, 1)})
    assert "does not accept the encoder: operator Det (node 'odd.determinant')" in result["error"]
    assert "\n" not in result["error"]


def test_a_file_that_is_no_graph_is_refused(rtx: Path, tmp_path: Path) -> None:
    (tmp_path / "none.onnx").write_bytes(b"this is no graph")
    (result,) = build(rtx, {"graph": str(tmp_path / "none.onnx"), "name": "head", "span": (1, 1, 1)})
    assert result["error"] == "TensorRT 1.7.1.116 does not accept the head: it gives no reason."


def graph_of(bundle: Bundle) -> onnx.ModelProto:
    return onnx.load(bundle.file(bundle.graph("fp32").file))
