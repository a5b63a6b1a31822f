"""The bare encoder is the part of the engine's own graph that ends at the taps."""

from __future__ import annotations

import numpy as np
import pytest

from edge.bundle import Bundle
from edge.errors import BundleError, EngineError
from edge.evaluation.bare_encoder import BareEncoder
from edge.vision.openvino import OpenVinoEngine
from tests.build_engines.tiny import WIDTH
from tests.edge.evaluation.conftest import good_part


def test_it_gives_the_tokens_that_the_engine_makes_its_features_of(small_bundle: Bundle) -> None:
    encoder = BareEncoder(small_bundle, "fp32")
    assert encoder.measure(good_part(1)) > 0
    tokens = encoder.tokens()
    assert [tap.shape for tap in tokens] == [(1, 36, WIDTH)] * 2
    joined = sum(tap[0] / np.linalg.norm(tap[0], axis=1, keepdims=True) for tap in tokens)
    expected = joined / np.linalg.norm(joined, axis=1, keepdims=True)
    engine = OpenVinoEngine(small_bundle, "fp32")
    np.testing.assert_allclose(engine.encode(good_part(1)).features, expected, atol=1e-5)


def test_a_precision_that_the_bundle_lacks_is_refused(small_bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="no int8 graph"):
        BareEncoder(small_bundle, "int8")


def test_taps_that_the_graph_lacks_are_refused(small_bundle: Bundle) -> None:
    encoder = small_bundle.manifest.encoder.model_copy(update={"taps": (1, 7)})
    manifest = small_bundle.manifest.model_copy(update={"encoder": encoder})
    with pytest.raises(EngineError, match=r"\.onnx: it has no tap\.7") as caught:
        BareEncoder(type(small_bundle)(small_bundle.path, manifest), "fp32")
    assert caught.value.remedy
