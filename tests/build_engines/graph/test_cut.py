"""The two halves of the graph, one after the other, are the graph."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from build_engines.graph.cut import CUTS, cut, free_length
from build_engines.graph.head import uncalibrated_memory
from build_engines.precision.quantize import quantized
from edge.bundle import Bundle
from edge.errors import EngineError
from edge.vision.openvino import OpenVinoEngine
from tests.build_engines.tiny import PATCH, SIZE, WIDTH, picture
from tests.tensorrt_packages.fetched import POLYGRAPHY, environment, unpacked

PATCHES = (SIZE // PATCH) ** 2


def graph_of(bundle: Bundle) -> onnx.ModelProto:
    return onnx.load(bundle.file(bundle.graph("fp32").file))


def run(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def memory_of(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    features = run(model, {"image": picture(1)[None], **empty_memory(model)})["features"]
    return uncalibrated_memory([port.name for port in model.graph.input[1:]], features)


def empty_memory(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    names = [port.name for port in model.graph.input[1:]]
    return uncalibrated_memory(names, np.eye(1, WIDTH, dtype=np.float32))


@pytest.mark.parametrize(
    ("bundle_name", "kind"), [("tiny_bundle", "fp32"), ("learned_bundle", "fp32"), ("learned_bundle", "int8")]
)
def test_the_halves_give_what_the_whole_gives(
    request: pytest.FixtureRequest, bundle_name: str, kind: str
) -> None:
    whole = graph_of(request.getfixturevalue(bundle_name))
    if kind == "int8":
        whole = quantized(whole, [picture(1)[None]])
    encoder, head = cut(whole, PATCHES)
    image, memory = picture(3)[None], memory_of(whole)
    expected = run(whole, {"image": image, **memory})
    encoded = run(encoder, {"image": image})
    assert set(encoded) == {name for name in CUTS if name in expected}
    found = {**encoded, **run(head, {**encoded, **memory})}
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, atol=1e-5, rtol=1e-5, err_msg=name)


def test_the_halves_give_what_openvinos_own_cut_gives(learned_bundle: Bundle) -> None:
    engine = OpenVinoEngine(learned_bundle, "fp32", threads=1)
    whole = graph_of(learned_bundle)
    encoder, head = cut(whole, PATCHES)
    encoded, memory = run(encoder, {"image": picture(3)[None]}), memory_of(whole)
    found, expected = run(head, {**encoded, **memory}), engine.infer(picture(3), memory)
    np.testing.assert_allclose(found["map"], expected.map, atol=1e-4)
    assert float(found["score"][0]) == pytest.approx(expected.score, abs=1e-4)
    engine.close()


_LINT = "import sys; from polygraphy.tools import main; sys.exit(main())"


@pytest.mark.parametrize("number", [0, 1], ids=["encoder", "head"])
def test_polygraphy_finds_nothing_wrong_with_a_half(
    learned_bundle: Bundle, number: int, tmp_path: Path
) -> None:
    half, report = cut(graph_of(learned_bundle), PATCHES)[number], tmp_path / "lint.json"
    onnx.save(half, str(tmp_path / "half.onnx"))
    shapes = ["image:[1,84,84,3]"] if number == 0 else [f"bank:[7,{WIDTH}]", "bank_text:[7]"]
    command = [sys.executable, "-c", _LINT, "check", "lint", str(tmp_path / "half.onnx")]
    done = subprocess.run(
        [*command, "--input-shapes", *shapes, "-o", str(report)],
        env=environment(unpacked(POLYGRAPHY)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(report.read_text())
    assert {entry["level"] for entry in said["lint_entries"]} <= {"warning"}
    assert not said["summary"].get("failing")


def test_a_half_leaves_one_length_open_at_most(learned_bundle: Bundle) -> None:
    encoder, head = cut(graph_of(learned_bundle), PATCHES)
    assert free_length(encoder) in ("", "batch")
    assert free_length(head) == "rows"
    shapes = {
        p.name: [d.dim_value or d.dim_param for d in p.type.tensor_type.shape.dim] for p in head.graph.input
    }
    assert shapes["features"] == [PATCHES, WIDTH]
    assert shapes["text"] == [PATCHES]
    assert shapes["bank"] == ["rows", WIDTH]
    assert encoder.graph.input[0].type.tensor_type.shape.dim[3].dim_value == 3


def test_the_encoder_has_nothing_of_the_head_and_the_reverse(learned_bundle: Bundle) -> None:
    whole = graph_of(learned_bundle)
    encoder, head = cut(whole, PATCHES)
    assert len(encoder.graph.node) + len(head.graph.node) == len(whole.graph.node)
    assert not any(weight.name.startswith("layer.") for weight in head.graph.initializer)


def test_a_graph_without_features_is_refused(tiny_bundle: Bundle) -> None:
    whole = graph_of(tiny_bundle)
    del whole.graph.output[0]
    with pytest.raises(EngineError, match="no output 'features'"):
        cut(whole, PATCHES)


def test_a_head_that_looks_behind_the_cut_is_refused(tiny_bundle: Bundle) -> None:
    whole = graph_of(tiny_bundle)
    # The map now also depends on a tap: the cut at the features does not part the graph in two.
    score = next(node for node in whole.graph.node if node.output[0] == "score")
    peek = onnx.helper.make_node("ReduceMax", ["tap.1"], ["peek"], name="peek", axes=[0, 1, 2], keepdims=0)
    whole.graph.node.insert(len(whole.graph.node) - 1, peek)
    total = onnx.helper.make_node("Add", ["score_before", "peek"], ["score"], name="total")
    score.output[0] = "score_before"
    whole.graph.node.append(total)
    with pytest.raises(EngineError, match="needs image from beyond the cut"):
        cut(whole, PATCHES)
