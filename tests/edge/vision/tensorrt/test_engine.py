"""The engine's own logic on a GPU of host memory: whatever came before, it gives what OpenVINO gives."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import pytest

from build_engines.graph.cut import cut
from build_engines.graph.head import uncalibrated_memory
from edge.bundle import Bundle
from edge.errors import EngineError, FrameError
from edge.vision.engine import Encoded, EngineOutput, MemoryArrays
from edge.vision.openvino import OpenVinoEngine
from edge.vision.tensorrt.engine import TensorRtEngine
from tests.build_engines.tiny import PATCH, SIZE, WIDTH, picture
from tests.edge.vision.tensorrt.host import HostCuda, OnnxExecution

PATCHES = (SIZE // PATCH) ** 2
MOST_ROWS = 6 * PATCHES


@pytest.fixture(scope="module")
def reference(learned_bundle: Bundle) -> Iterator[OpenVinoEngine]:
    engine = OpenVinoEngine(learned_bundle, "fp32", threads=1)
    yield engine
    engine.close()


@pytest.fixture(params=[True, False], ids=["graphs", "no-graphs"])
def cuda(request: pytest.FixtureRequest) -> HostCuda:
    return HostCuda(has_graphs=request.param)


@pytest.fixture
def engine(learned_bundle: Bundle, cuda: HostCuda) -> Iterator[TensorRtEngine]:
    engine = made(learned_bundle, cuda)
    yield engine
    engine.close()


def made(bundle: Bundle, cuda: HostCuda, most_images: int = 1) -> TensorRtEngine:
    encoder, head = cut(onnx.load(bundle.file(bundle.graph("fp32").file)), PATCHES)
    return TensorRtEngine(
        bundle,
        OnnxExecution(encoder, cuda, most_images),
        OnnxExecution(head, cuda, MOST_ROWS),
        "fp32",
        cuda,
    )


def memory_of(engine: OpenVinoEngine, *seeds: int) -> MemoryArrays:
    encoded = [engine.encode(picture(seed)) for seed in seeds]
    features = np.concatenate([each.features for each in encoded])
    plain = uncalibrated_memory(engine.memory_shapes, features)
    return {**plain, "bank_text": np.concatenate([each.text for each in encoded])}


def assert_encoded_alike(ours: Encoded, theirs: Encoded) -> None:
    assert ours.text is not None and theirs.text is not None
    np.testing.assert_allclose(ours.features, theirs.features, atol=1e-5)
    np.testing.assert_allclose(ours.text, theirs.text, atol=1e-5)


def assert_alike(ours: EngineOutput, theirs: EngineOutput) -> None:
    np.testing.assert_allclose(ours.map, theirs.map, atol=2e-5)
    assert ours.score == pytest.approx(theirs.score, abs=2e-5)
    assert set(ours.others) == set(theirs.others) == {"rows", "evidence"}
    for name, array in ours.others.items():
        np.testing.assert_allclose(array, theirs.others[name], atol=1e-3, rtol=1e-3)


def test_it_says_what_it_takes_and_gives(engine: TensorRtEngine, reference: OpenVinoEngine) -> None:
    for name in ("input_size", "grid", "feature_width", "memory_shapes"):
        assert getattr(engine, name) == getattr(reference, name)
    assert (engine.name, engine.precision) == ("tensorrt", "fp32")
    assert engine.device == "host memory, compute capability 0.0"


def test_whatever_the_order_it_gives_what_openvino_gives(
    engine: TensorRtEngine, reference: OpenVinoEngine
) -> None:
    """Encoding, matching and inspecting by turns, with memories that grow, shrink and come back."""
    memories = [memory_of(reference, 1), memory_of(reference, 2, 3, 4), memory_of(reference, 5)]
    rng = np.random.default_rng(0)
    for seed in range(60):
        image, memory = picture(100 + seed), memories[rng.choice(3, p=[0.6, 0.2, 0.2])]
        match rng.integers(3):
            case 0:
                assert_encoded_alike(engine.encode(image), reference.encode(image))
            case 1:
                encoded = reference.encode(image)
                assert_alike(engine.match(encoded, memory), reference.match(encoded, memory))
            case _:
                assert_alike(engine.infer(image, memory), reference.infer(image, memory))


def test_an_unchanged_memory_is_played_as_a_graph(
    engine: TensorRtEngine, reference: OpenVinoEngine, cuda: HostCuda
) -> None:
    memory = memory_of(reference, 1)
    for seed in range(5):
        assert_alike(engine.infer(picture(seed), memory), reference.infer(picture(seed), memory))
    assert cuda.launched == (4 if cuda.graphs else 0)
    other = memory_of(reference, 2)
    assert_alike(engine.infer(picture(9), other), reference.infer(picture(9), other))
    assert cuda.launched == (4 if cuda._has_graphs else 0)  # A new memory: plainly first.


def test_a_bank_that_needs_more_scratch_spoils_no_recorded_encoder(
    engine: TensorRtEngine, reference: OpenVinoEngine
) -> None:
    for seed in range(3):
        engine.encode(picture(seed))
    engine.infer(picture(), memory_of(reference, 1, 2, 3, 4, 5))
    expected = reference.encode(picture(7)).features
    np.testing.assert_allclose(engine.encode(picture(7)).features, expected, atol=1e-5)


def test_a_bank_that_grows_holds_no_memory_of_the_smaller_ones(
    learned_bundle: Bundle, engine: TensorRtEngine, reference: OpenVinoEngine, cuda: HostCuda
) -> None:
    for seeds in ((1,), (1, 2), (1, 2, 3, 4), (1, 2, 3, 4, 5), (1, 2)):
        engine.infer(picture(), memory_of(reference, *seeds))
    at_once = HostCuda()
    other = made(learned_bundle, at_once)
    other.infer(picture(), memory_of(reference, 1, 2, 3, 4, 5))
    assert cuda.held_bytes == at_once.held_bytes
    other.close()


def test_stored_features_give_to_the_bit_what_inspection_computes(
    engine: TensorRtEngine, reference: OpenVinoEngine
) -> None:
    memory = memory_of(reference, 1)
    whole = engine.infer(picture(2), memory)
    parts = engine.match(engine.encode(picture(2)), memory)
    assert np.array_equal(whole.map, parts.map)
    assert whole.score == parts.score


def test_what_it_returns_belongs_to_the_caller(engine: TensorRtEngine, reference: OpenVinoEngine) -> None:
    memory = memory_of(reference, 1)
    encoded, output = engine.encode(picture(2)), engine.infer(picture(2), memory)
    kept = encoded.features.copy(), output.map.copy()
    engine.encode(picture(5))
    engine.infer(picture(5), memory)
    assert np.array_equal(encoded.features, kept[0])
    assert np.array_equal(output.map, kept[1])


def test_what_does_not_fit_is_refused_and_the_next_part_is_not(
    engine: TensorRtEngine, reference: OpenVinoEngine
) -> None:
    memory = memory_of(reference, 1)
    expected = reference.infer(picture(3), memory)
    wrong = {**memory, "bank": memory["bank"][:, 1:]}
    with pytest.raises(EngineError, match="memory's bank"):
        engine.infer(picture(3), wrong)
    assert_alike(engine.infer(picture(3), memory), expected)
    too_large = {
        name: np.repeat(a, 7, axis=0) if name.startswith("bank") else a for name, a in memory.items()
    }
    with pytest.raises(EngineError, match="takes bank up to"):
        engine.infer(picture(3), too_large)
    assert_alike(engine.infer(picture(3), memory), expected)
    half = {**memory_of(reference, 2), "bank_text": too_large["bank_text"]}  # Its bank is handed over before.
    with pytest.raises(EngineError, match="takes bank_text up to"):
        engine.infer(picture(3), half)
    assert_alike(engine.infer(picture(3), memory), expected)
    with pytest.raises(EngineError, match="features is"):
        engine.match(Encoded(np.zeros((PATCHES, WIDTH + 1), np.float32)), memory)
    with pytest.raises(FrameError):
        engine.infer(np.zeros((1, 1), np.uint8), memory)
    assert_alike(engine.infer(picture(3), memory), expected)


def test_several_images_at_once_are_told_apart(learned_bundle: Bundle, reference: OpenVinoEngine) -> None:
    engine = made(learned_bundle, HostCuda(), most_images=3)
    if engine.most_images == 1:
        pytest.skip("this bundle's graph was written for one image at a time")
    memory = memory_of(reference, 1)
    engine.infer(picture(7), memory)
    engine.infer(picture(7), memory)
    for count in (3, 1, 2):
        images = [picture(10 + number) for number in range(count)]
        for ours, image in zip(engine.encode_many(images), images, strict=True):
            assert_encoded_alike(ours, reference.encode(image))
        assert_alike(engine.infer(picture(8), memory), reference.infer(picture(8), memory))
    with pytest.raises(EngineError, match="accepts 1 to 3"):
        engine.encode_many([picture()] * 4)
    engine.close()
