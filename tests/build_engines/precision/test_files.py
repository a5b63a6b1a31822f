"""fp16 and both kinds of int8 from one export: what stays in float32, and the rules of the files for GPUs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from build_engines.assembly.export import export_bundle
from build_engines.graph.encoder_parts import cut, encoder_nodes, encoder_parts
from build_engines.parity.gate import failures, outside_limits, verify
from build_engines.parity.labelled import LabelledProduct
from build_engines.parity.limits import PATCH_COSINE_LIMIT
from build_engines.precision.float16 import as_float16, rounded_in_float32
from build_engines.precision.layer_report import kept_shares, layer_costs, layer_rows, layer_table
from build_engines.precision.mixed_precision import RANGE_LIMIT, kept_in_float32
from build_engines.precision.part_costs import session_of
from build_engines.tensorrt.plan_parity import PlanParity
from edge.bundle import Bundle
from edge.choices import Precision
from edge.errors import FrameError
from tests.build_engines.tiny import MEASURED, SIZE, picture, tiny_preset

GPU_FILES: tuple[Precision, ...] = ("fp16", "int8-symmetric")

# Operators of ONNX that TensorRT 10.3 and later import, as far as our graphs use them.
TENSORRT_OPS = {
    *(
        "Add",
        "ArgMax",
        "Cast",
        "Concat",
        "Conv",
        "DequantizeLinear",
        "Div",
        "Equal",
        "Erf",
        "Expand",
        "Gather",
    ),
    *("Gemm", "LayerNormalization", "LpNormalization", "MatMul", "Mul", "Pad", "Pow", "QuantizeLinear"),
    *("ReduceL2", "ReduceMax", "ReduceMean", "ReduceSum", "Relu", "Reshape", "Resize", "Sigmoid", "Slice"),
    *("Softmax", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "TopK", "Transpose", "Unsqueeze", "Where", "Max"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("precisions")


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    """All precisions of the tiny encoder, int8 calibrated on three good parts in a folder."""
    (folder / "good").mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / "good" / f"{number}.png"), picture(number))
    wanted: tuple[Precision, ...] = ("fp32", "bf16", "fp16", "int8", "int8-symmetric")
    return export_bundle(tiny_preset(folder), folder / "bundle", wanted, print, folder / "good")


def model_of(bundle: Bundle, precision: Precision) -> onnx.ModelProto:
    return onnx.load(str(bundle.file(bundle.graph(precision).file)))


def types_of(model: onnx.ModelProto) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    return {
        v.name: v.type.tensor_type.elem_type
        for v in [*inferred.input, *inferred.value_info, *inferred.output]
    }


def with_outlier(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with one hidden channel of a layer far out of float16's range, and its effect unchanged."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    tensors = {tensor.name: tensor for tensor in changed.graph.initializer}
    for name, where, factor in (
        ("layer.1.mlp.in.weight", np.s_[:, 0], 1e5),
        ("layer.1.mlp.in.bias", np.s_[:1], 1e5),
        ("layer.1.mlp.out.weight", np.s_[0], 1e-5),
    ):
        value = numpy_helper.to_array(tensors[name]).copy()
        value[where] *= factor
        tensors[name].CopyFrom(numpy_helper.from_array(value, name))
    return changed


def features(model: onnx.ModelProto) -> np.ndarray:
    found: np.ndarray = session_of(cut(model, "image", ["features"])).run(None, {"image": picture(3)[None]})[
        0
    ]
    return found


@pytest.mark.parametrize("precision", GPU_FILES)
def test_the_encoder_is_in_float16_and_the_head_in_float32(bundle: Bundle, precision: Precision) -> None:
    model = model_of(bundle, precision)
    types = types_of(model)
    inside = {name for node in encoder_nodes(model.graph) for name in node.output}
    assert {types[name] for name in inside} <= {TensorProto.FLOAT16, TensorProto.INT8}
    outside = {name for node in model.graph.node for name in node.output} - inside
    assert TensorProto.FLOAT16 not in {types[name] for name in outside}
    head = {t.name for t in model.graph.initializer if t.data_type == TensorProto.FLOAT}
    assert head and not any(name.startswith("layer.") for name in head)


@pytest.mark.parametrize("precision", GPU_FILES)
def test_inputs_and_outputs_are_those_of_fp32(bundle: Bundle, precision: Precision) -> None:
    exact, other = model_of(bundle, "fp32").graph, model_of(bundle, precision).graph
    assert list(other.input) == list(exact.input)
    assert list(other.output) == list(exact.output)


@pytest.mark.parametrize("precision", ["fp32", *GPU_FILES])
def test_a_gpu_file_has_only_operators_that_tensorrt_has(bundle: Bundle, precision: Precision) -> None:
    assert {node.op_type for node in model_of(bundle, precision).graph.node} <= TENSORRT_OPS


def test_every_zero_point_is_0_and_no_bias_is_quantised(bundle: Bundle) -> None:
    graph = model_of(bundle, "int8-symmetric").graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    quantising = [n for n in graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert len(quantising) > 10
    for node in quantising:
        zero = tensors[node.input[2]]
        assert zero.dtype == np.int8 and not zero.any()
        assert (tensors[node.input[1]] > 0).all()
    weights = [n for n in quantising if n.op_type == "DequantizeLinear" and n.input[0] in tensors]
    for node in weights:
        matrix, scale = tensors[node.input[0]], tensors[node.input[1]]
        assert matrix.dtype == np.int8 and matrix.ndim == 2  # a bias would have one dimension, and int32
        assert scale.shape == (matrix.shape[1],)


def test_the_manifest_says_what_int8_was_calibrated_on(bundle: Bundle) -> None:
    assert bundle.graph("int8").calibrated_on == "3 images of good"
    assert bundle.graph("int8-symmetric").calibrated_on == "3 images of good"
    assert bundle.graph("fp16").kept_in_float32 == ()  # the tiny encoder needs none


def test_a_folder_without_good_parts_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FrameError, match="no image in the folder"):
        export_bundle(tiny_preset(tmp_path), tmp_path / "b", ("fp32", "int8"), print, tmp_path / "empty")


def test_every_precision_is_measured_and_passes(bundle: Bundle, folder: Path) -> None:
    good, other = picture(1), picture(7)
    product = LabelledProduct("one", good, [(good, False), (picture(2), True), (other, True)])
    manifest = verify(bundle, {"weights": folder / "tiny.onnx"}, [product], print)
    assert failures(manifest) == []
    for precision in GPU_FILES:
        parity = manifest.graphs[precision].parity
        assert parity is not None and parity.passed
        assert parity.verdicts == 3 and parity.verdict_agreement == 1
        assert parity.map_difference_mean is not None and parity.map_difference_max is not None
        assert 0 < parity.map_difference_mean <= parity.map_difference_max
        assert parity.patch_cosine_mean > 0.999


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"patch_cosine_mean": 0.9}, "patch cosine 0.90000"),
        ({"patch_cosine_mean": float("nan")}, "patch cosine nan"),  # an fp16 graph that overflowed
        ({"image_auroc": 0.99}, "image AUROC 0.9900"),
        ({"map_difference_mean": 0.5}, "map difference 0.5"),
        ({"verdict_agreement": 0.5}, "verdict agreement 0.5"),
    ],
)
def test_the_figure_outside_its_limit_is_named(change: dict[str, float], named: str) -> None:
    assert outside_limits("fp16", MEASURED) == ()
    (failed,) = outside_limits("fp16", MEASURED.model_copy(update=change))
    assert failed.startswith(named)


def test_rounding_is_that_of_float16_and_overflow_too(bundle: Bundle) -> None:
    model = model_of(bundle, "fp32")
    part = next(part for part in encoder_parts(model.graph) if part.name == "layer.1.mlp")
    tokens = np.random.default_rng(0).normal(0, 1, (1, 37, 128)).astype(np.float32)
    exact = session_of(cut(model, part.entry, [part.exit])).run(None, {part.entry: tokens})[0]
    rounding = session_of(cut(rounded_in_float32(as_float16(model)), part.entry, [part.exit]))
    rounded = rounding.run(None, {part.entry: tokens})[0]
    assert np.array_equal(rounded, rounded.astype(np.float16).astype(np.float32))
    assert 0 < np.abs(rounded - exact).max() < 0.02
    assert not np.isfinite(features(rounded_in_float32(as_float16(with_outlier(model))))).all()


def test_what_leaves_float16s_range_is_found_and_kept(bundle: Bundle) -> None:
    model = with_outlier(model_of(bundle, "fp32"))
    kept = kept_in_float32(model, [picture(1)[None]])
    assert any(why.startswith("layer.1.mlp.in") for why in kept.why)
    assert {"layer.1.mlp.in.matmul", "layer.1.mlp.in", "layer.1.mlp.out.matmul"} <= kept.nodes
    assert not any(name.startswith(("layer.0.", "layer.2.")) for name in kept.nodes)
    mixed = as_float16(model, kept.nodes)
    exact, found = features(model), features(rounded_in_float32(mixed))
    assert (exact * found).sum(axis=1).min() > 0.999
    large = types_of(mixed)["layer.1.mlp.in"]
    assert large == TensorProto.FLOAT and RANGE_LIMIT < 65504


def test_the_report_tells_each_parts_own_cost_from_what_came_before(bundle: Bundle) -> None:
    costs = layer_costs(bundle, [picture(1), picture(2, (SIZE, SIZE))])
    parts = [f"layer.{n}.{half}" for n in range(3) for half in ("attention", "mlp")]
    assert [cost.part for cost in costs] == ["embedding", *parts]
    assert sum(cost.weights for cost in costs) == pytest.approx(1)
    for cost in costs[1:]:
        assert cost.largest > 0
        assert 0 <= cost.alone["fp16"] < cost.alone["int8"]
    last = costs[-1]
    assert last.through["int8"] > last.alone["int8"]
    rows = json.loads(json.dumps(layer_rows(costs, kept_shares(bundle))))
    assert [row["kept_in_float32"] for row in rows] == [0.0] * len(costs)
    assert rows[-1]["alone"]["fp16"] == last.alone["fp16"]
    assert len(layer_table(costs, kept_shares(bundle)).rows) == len(costs)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8-symmetric"])
@pytest.mark.parametrize("off", [-1e-4, 1e-6])
def test_a_plan_may_lose_what_its_file_may(precision: Precision, off: float) -> None:
    cosine = PATCH_COSINE_LIMIT[precision] + off
    as_file = outside_limits(precision, MEASURED.model_copy(update={"patch_cosine_mean": cosine}))
    as_plan = PlanParity(8, cosine, 0.98, 0.0, None, None, True).failures(precision)
    assert bool(as_file) == bool(as_plan) == (off < 0)


def test_the_page_states_the_limits() -> None:
    page = (Path(__file__).parents[3] / "docs" / "precisions.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith("| mean cosine of the patches"))
    stated = re.findall(r"([a-z]+\d+(?:-symmetric)?)(?: to its source:)? (\.\d+)", row)
    assert {name: float(value) for name, value in stated} == PATCH_COSINE_LIMIT
