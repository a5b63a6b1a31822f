"""A graph at another size computes what an export at that size does, but for the positions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from build_engines.assembly.export import export_bundle
from build_engines.engine_bench.resizing import encoder_at
from edge.bundle import Bundle, Encoder
from edge.errors import EngineError
from tests.build_engines.tiny import GRID, PATCH, picture, tiny_preset


def features(model: onnx.ModelProto, image: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(["features"], {"image": image})[0]
    return found


def exported(folder: Path, height: int, width: int) -> tuple[onnx.ModelProto, Encoder]:
    """The tiny encoder's graph, exported at a size, and what its manifest says."""
    folder.mkdir()
    preset = tiny_preset(folder).adapted((height, width))
    bundle = export_bundle(preset, folder / "bundle", ("fp32",), print)
    return onnx.load(str(bundle.file(bundle.graph("fp32").file))), bundle.manifest.encoder


def test_it_equals_an_export_at_that_size_where_the_positions_are_the_same(tmp_path: Path) -> None:
    """The graph is exported at the very grid of the source's positions, so that both interpolate these."""
    side = GRID * PATCH
    whole, encoder = exported(tmp_path / "grid", side, side)
    for height, width in ((side, side), (112, 84)):
        resized = encoder_at(whole, encoder, (height, width))
        onnx.checker.check_model(resized, full_check=True)
        image = np.stack([picture(seed, (height, width, 3)) for seed in (1, 2)])
        other, other_encoder = exported(tmp_path / f"{height}", height, width)
        expected = features(encoder_at(other, other_encoder, (height, width)), image[:1])
        found = features(resized, image)
        assert found.shape == (2 * len(expected), expected.shape[1])
        np.testing.assert_allclose(found[: len(expected)], expected, atol=1e-5)


def test_the_whole_graph_stays_as_it_is(tiny_bundle: Bundle) -> None:
    whole = onnx.load(str(tiny_bundle.file("vision.fp32.onnx")))
    before = whole.SerializeToString(deterministic=True)
    encoder_at(whole, tiny_bundle.manifest.encoder, (140, 140))
    assert whole.SerializeToString(deterministic=True) == before


def test_a_graph_without_taps_is_refused(tiny_bundle: Bundle) -> None:
    whole = onnx.load(str(tiny_bundle.file("vision.fp32.onnx")))
    for node in whole.graph.node:
        if node.name.startswith("tap."):
            node.name = "other"
    with pytest.raises(EngineError, match="input size cannot be changed"):
        encoder_at(whole, tiny_bundle.manifest.encoder, (140, 140))
