"""int8: the encoder's products in 8 bits, everything else as it was."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edge.bundle import Bundle
from edge.vision.openvino import OpenVinoEngine, cpu_precisions
from tests.build_engines.tiny import picture, tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("int8"), ("fp32", "int8"))


def graph_of(bundle: Bundle) -> onnx.GraphProto:
    return onnx.load(str(bundle.file(bundle.graph("int8").file))).graph


def dequantized(graph: onnx.GraphProto) -> set[str]:
    """The nodes that take an input out of 8-bit integers."""
    eight_bit = {n.output[0] for n in graph.node if n.op_type == "DequantizeLinear"}
    return {n.name for n in graph.node if eight_bit & set(n.input)}


def test_every_matrix_product_of_the_encoder_is_in_8_bits(bundle: Bundle) -> None:
    inside = dequantized(graph_of(bundle))
    for layer in range(2):
        for product in ("attention.qkv", "attention.out", "mlp.in", "mlp.out"):
            assert f"layer.{layer}.{product}.matmul" in inside


def test_the_patch_embedding_and_the_head_stay_in_float(bundle: Bundle) -> None:
    graph = graph_of(bundle)
    names = [node.name for node in graph.node]
    head = names[max(i for i, name in enumerate(names) if name.startswith("tap.")) + 1 :]
    assert {"features", "score"} <= set(head)
    assert not dequantized(graph) & {"patch", *head}


def test_the_taps_and_the_inputs_keep_their_names(bundle: Bundle) -> None:
    graph = graph_of(bundle)
    assert {"tap.1", "tap.2"} <= {output for node in graph.node for output in node.output}
    assert [i.name for i in graph.input] == ["image", "bank", "scale"]
    sides = graph.input[0].type.tensor_type.shape.dim
    assert (sides[0].dim_param, sides[3].dim_param) == ("batch", "channels")


@pytest.mark.skipif("int8" not in cpu_precisions(), reason="this CPU does not compute int8 exactly")
def test_its_features_are_near_those_of_fp32(bundle: Bundle) -> None:
    exact = OpenVinoEngine(bundle, "fp32").encode(picture(3)).features
    near = OpenVinoEngine(bundle, "int8").encode(picture(3)).features
    assert (exact * near).sum(axis=1).mean() > 0.98  # random weights stand it worse than trained ones
    assert not np.array_equal(exact, near)
