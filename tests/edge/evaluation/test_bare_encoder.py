"""The bare encoder is the part of the engine's own graph that ends at the taps."""

from __future__ import annotations

import numpy as np
import pytest

from edge.errors import BundleError, EngineError
from edge.evaluation.bare_encoder import BareEncoder
from edge.vision.openvino import OpenVinoEngine
from tests.edge.evaluation.conftest import TAPS, WIDTH, good_part


def test_it_gives_the_tokens_that_the_engine_makes_its_features_of(tiny_bundle):
    encoder = BareEncoder(tiny_bundle, "fp32")
    assert encoder.measure(good_part(1)) > 0
    tokens = encoder.tokens()
    assert [tap.shape for tap in tokens] == [(1, 64, WIDTH)] * len(TAPS)
    joined = sum(tap[0] / np.linalg.norm(tap[0], axis=1, keepdims=True) for tap in tokens)
    expected = joined / np.linalg.norm(joined, axis=1, keepdims=True)
    engine = OpenVinoEngine(tiny_bundle, "fp32")
    np.testing.assert_allclose(engine.features(good_part(1)), expected, atol=1e-5)


def test_a_precision_that_the_bundle_lacks_is_refused(tiny_bundle):
    with pytest.raises(BundleError, match="no int8 graph"):
        BareEncoder(tiny_bundle, "int8")


def test_taps_that_the_graph_lacks_are_refused(tiny_bundle):
    encoder = tiny_bundle.manifest.encoder.model_copy(update={"taps": (0, 7)})
    manifest = tiny_bundle.manifest.model_copy(update={"encoder": encoder})
    with pytest.raises(EngineError, match=r"vision.fp32.onnx: it has no tap\.7") as caught:
        BareEncoder(type(tiny_bundle)(tiny_bundle.path, manifest), "fp32")
    assert caught.value.remedy
