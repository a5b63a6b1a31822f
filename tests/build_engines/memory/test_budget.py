"""A budget is the sum of what a person computes from the same files and shapes."""

from __future__ import annotations

import os

import numpy as np
import pytest

from build_engines.__main__ import main
from build_engines.graph.graph_shapes import GraphShapes
from build_engines.graph.onnx_writer import FLOAT, UINT8, GraphWriter
from build_engines.memory.budget import (
    GIB,
    MB,
    Budget,
    BudgetPart,
    LanguageShape,
    budget,
    cache_bytes,
    read_language_shape,
)
from build_engines.memory.live_memory import most_live_bytes, weight_bytes
from edge.bundle import Bundle
from edge.errors import BundleError, EngineError
from edge.language import ModelLimits, bundled_model


def test_the_cache_of_keys_and_values_by_hand() -> None:
    """SmolLM2-135M as a station opens it: 30 layers, 3 heads of 64, five memories of 768 tokens."""
    shape = LanguageShape(layers=30, kv_heads=3, head_width=64)
    assert cache_bytes(shape, ModelLimits(context_tokens=768, dialogues=4)) == 2 * 2 * 30 * 768 * 5 * 3 * 64
    assert cache_bytes(shape, ModelLimits(context_tokens=100, dialogues=1)) == 2 * 2 * 30 * 200 * 3 * 64


def test_live_tensors_by_hand() -> None:
    """Two branches of one input meet: while the second is made, input and first are still needed."""
    writer = GraphWriter()
    pixels = writer.node("Cast", "image", to=FLOAT)  # 4·6 floats; the image: 24 bytes
    first = writer.node("Expand", pixels, writer.ints(3, 4, 6))  # 3·24 floats
    second = writer.node("Transpose", first, perm=[2, 0, 1])  # 72 floats
    folded = writer.node("Neg", writer.constant("weights", np.zeros((6, 3, 4), np.float32)))
    writer.node("Add", second, folded, name="sum")
    model = writer.model("live", [("image", UINT8, [4, "width"])], [("sum", FLOAT, [6, 3, 4])])
    # The image and the pixels, then the pixels and the first, then the first and the second, then the
    # second and the sum.
    by_hand = max(24 + 96, 96 + 288, 288 + 288, 288 + 288)
    assert most_live_bytes(GraphShapes(model, {"width": 6})) == by_hand
    assert weight_bytes(model) == 72 * 4 + 3 * 8


def test_a_length_that_nobody_chose_is_refused() -> None:
    writer = GraphWriter()
    writer.node("Cast", "image", to=FLOAT, name="pixels")
    model = writer.model("live", [("image", UINT8, [4, "width"])], [("pixels", FLOAT, [4, "width"])])
    with pytest.raises(EngineError, match="'image' does not follow"):
        most_live_bytes(GraphShapes(model, {"batch": 1}))


def test_a_bundle_that_only_sees(tiny_bundle: Bundle) -> None:
    found = budget(tiny_bundle, "fp32", 8 * GIB, lambda _: None)
    by_name = {part.name: part for part in found.running}
    assert by_name["bank"].bytes == 1024 * (128 + 1) * 4
    assert by_name["images that wait"].bytes == 5 * 1280 * 1024 * 3
    assert by_name["engine: matching"].bytes > 36 * 1024 * 4, "the similarities of 36 patches to 1,024 rows"
    assert not any("language" in name for name in by_name)
    station, engine = by_name["station"], by_name["engine: encoder"]
    assert station.measured == station.bytes > 20 * MB
    assert engine.measured is not None and engine.measured > 0
    size = tiny_bundle.file("vision.fp32.onnx").stat().st_size
    assert 0.9 * size < engine.bytes < 10 * size
    assert found.left == 8 * GIB - sum(part.bytes for part in found.running)


def test_the_language_model_is_counted_from_its_file_and_measured(speaking_bundle: Bundle) -> None:
    model = bundled_model(speaking_bundle)
    assert read_language_shape(os.fsencode(model.gguf)) == LanguageShape(30, 3, 64)
    found = budget(speaking_bundle, "fp32", 8 * GIB, lambda _: None)
    weights, cache, rest = (part for part in found.running if part.name.startswith("language model"))
    assert weights.bytes == model.gguf.stat().st_size
    assert rest.measured is not None
    assert rest.measured == weights.bytes + cache.bytes + rest.bytes, "the parts are all of the worker"


def test_the_command_says_whether_it_fits(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(*arguments: str) -> None:
        monkeypatch.setattr("sys.argv", ["build_engines", "budget", str(tiny_bundle.path), *arguments])
        main()

    monkeypatch.setenv("COLUMNS", "160")
    call()
    shown = capsys.readouterr().out
    for words in ("a station at work", "while compile builds the engine", "assumed", "left of 7,946"):
        assert words in shown
    with pytest.raises(SystemExit) as left:
        call("--board", "1")
    assert "does not fit on a board of 1 GiB" in str(left.value.code)


def test_a_precision_that_the_bundle_lacks_is_refused(tiny_bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="no int8 graph"):
        budget(tiny_bundle, "int8", 8 * GIB, lambda _: None)


def test_the_sums_are_those_of_their_parts() -> None:
    found = Budget(
        "b", "fp32", 100, (BudgetPart("a", 30, ""), BudgetPart("b", 20, "", 25)), (BudgetPart("c", 110, ""),)
    )
    assert (found.left, found.left_compiling) == (50, -10)
