"""The count of operations is what a person counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from build_engines.engine_bench.arithmetic import operations
from build_engines.engine_bench.resizing import encoder_at
from build_engines.graph.onnx_writer import FLOAT, UINT8, GraphWriter
from edge.bundle import Bundle
from edge.errors import EngineError
from tests.build_engines.tiny import LAYERS, PATCH, SIZE, WIDTH


def test_a_convolution_a_product_and_a_gemm_by_hand() -> None:
    writer = GraphWriter()
    planar = writer.node("Transpose", writer.node("Cast", "image", to=FLOAT), perm=[0, 3, 1, 2])
    kernel = writer.constant("kernel", np.zeros((5, 3, 4, 4), np.float32))
    maps = writer.node("Conv", planar, kernel, kernel_shape=[4, 4], strides=[4, 4])  # (1, 5, 2, 3)
    rows = writer.node("Reshape", maps, writer.ints(5, 6))
    product = writer.node("MatMul", rows, writer.constant("m", np.zeros((6, 7), np.float32)))  # (5, 7)
    turned = writer.constant("g", np.zeros((5, 2), np.float32))
    writer.node("Gemm", product, turned, transA=1, name="out")  # (7, 5) by (5, 2)
    model = writer.model(
        "counted", [("image", UINT8, ["batch", 8, 12, "channels"])], [("out", FLOAT, [7, 2])]
    )
    by_hand = 2 * (5 * 2 * 3) * (3 * 4 * 4) + 2 * (5 * 7) * 6 + 2 * (7 * 2) * 5
    assert operations(model) == by_hand
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch", "it was not changed"


def transformer(patches: int, layers: int) -> int:
    """A vision transformer's operations, from its definition: patches, then per layer the query, key and
    value, scores, mix, output and the two halves of the perceptron."""
    tokens = patches + 1
    per_token = 2 * WIDTH * WIDTH * (3 + 1 + 4 + 4) + 2 * 2 * WIDTH * tokens
    return 2 * patches * WIDTH * 3 * PATCH**2 + layers * tokens * per_token


@pytest.mark.parametrize("side", [SIZE, 56, 140])
def test_an_encoder_at_any_size_by_its_definition(tiny_bundle: Bundle, side: int) -> None:
    model = onnx.load(str(tiny_bundle.file("vision.fp32.onnx")))
    half = encoder_at(model, tiny_bundle.manifest.encoder, (side, side))
    needed = transformer((side // PATCH) ** 2, layers=3)  # The taps are layers 1 and 2 of 4.
    assert LAYERS > 3
    assert operations(half) == needed
    assert operations(half, batch=4) == 4 * needed


def test_a_product_of_unknown_shape_is_named() -> None:
    writer = GraphWriter()
    pixels = writer.node("Cast", "image", to=FLOAT)
    chosen = writer.node("NonZero", pixels)  # How many, nobody knows.
    rows = writer.node("Transpose", writer.node("Cast", chosen, to=FLOAT), perm=[1, 0])
    writer.node("MatMul", rows, writer.constant("m", np.zeros((4, 2), np.float32)), name="product")
    model = writer.model("counted", [("image", UINT8, [1, 2, 2, 3])], [("product", FLOAT, ["n", 2])])
    with pytest.raises(EngineError, match="'product'"):
        operations(model)


def test_int8_needs_the_same_products(tmp_path: Path) -> None:
    from tests.build_engines.tiny import tiny_bundle

    bundle = tiny_bundle(tmp_path, ("fp32", "int8"))
    encoder = bundle.manifest.encoder
    for side in (SIZE, 112):
        fp32, int8 = (
            encoder_at(onnx.load(str(bundle.file(bundle.graph(p).file))), encoder, (side, side))
            for p in ("fp32", "int8")
        )
        assert operations(int8) == operations(fp32)
        onnx.checker.check_model(int8, full_check=True)
