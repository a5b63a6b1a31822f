"""The OpenVINO engine on a small real graph: exact, repeatable, and clear about what does not fit."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

from edge.bundle import Bundle, Manifest
from edge.choices import Precision
from edge.errors import BundleError, EngineError, FrameError
from edge.vision.engine import Encoded
from edge.vision.openvino import OpenVinoEngine, cpu_precisions, passed_precisions
from tests.build_engines.tiny import GRID, PATCH, SIZE, WIDTH, picture, tiny_bundle

PLAIN = np.array([0, 1], np.float32)
PATCHES = (SIZE // PATCH) ** 2


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("tiny"), ("fp32", "bf16"))


@pytest.fixture(scope="module")
def engine(bundle: Bundle) -> OpenVinoEngine:
    return OpenVinoEngine(bundle, "fp32")


def memory_of(engine: OpenVinoEngine, *seeds: int) -> dict[str, np.ndarray]:
    return {"bank": np.concatenate([engine.encode(picture(s)).features for s in seeds]), "scale": PLAIN}


def test_it_says_what_it_takes_and_gives(engine: OpenVinoEngine) -> None:
    assert engine.input_size == (SIZE, SIZE)
    assert engine.grid == (SIZE // PATCH, SIZE // PATCH) != (GRID, GRID)
    assert engine.memory_shapes == {"bank": (None, WIDTH), "scale": (2,)}
    assert engine.encode(picture()).features.shape == (PATCHES, engine.feature_width)


def test_it_equals_the_whole_graph_in_onnx_runtime(bundle: Bundle, engine: OpenVinoEngine) -> None:
    memory = memory_of(engine, 1, 2)
    session = onnxruntime.InferenceSession(
        str(bundle.file(bundle.graph("fp32").file)), providers=["CPUExecutionProvider"]
    )
    features, expected_map, score = session.run(
        ["features", "map", "score"], {"image": picture(3)[None], **memory}
    )
    output = engine.infer(picture(3), memory)
    assert np.allclose(engine.encode(picture(3)).features, features, atol=1e-5)
    assert np.allclose(output.map, expected_map, atol=1e-5)
    assert output.score == pytest.approx(float(score[0]), abs=1e-5)


@pytest.mark.parametrize("precision", sorted(cpu_precisions() & {"fp32", "bf16"}))
def test_matching_stored_features_is_to_the_bit_what_inspection_computes(
    bundle: Bundle, precision: Precision
) -> None:
    engine = OpenVinoEngine(bundle, precision)
    memory = memory_of(engine, 1)
    whole = engine.infer(picture(2), memory)
    parts = engine.match(engine.encode(picture(2)), memory)
    assert np.array_equal(whole.map, parts.map)
    assert whole.score == parts.score


def test_the_same_image_gives_the_same_bits_again_and_again(engine: OpenVinoEngine) -> None:
    memory = memory_of(engine, 1)
    first = engine.infer(picture(2), memory)
    for other in range(20):
        engine.infer(picture(other), memory)
        again = engine.infer(picture(2), memory)
        assert np.array_equal(again.map, first.map)
        assert again.score == first.score


@pytest.mark.parametrize("precision", sorted(cpu_precisions() & {"fp32", "bf16"}))
def test_a_part_like_its_reference_is_near_and_another_is_far(bundle: Bundle, precision: Precision) -> None:
    engine = OpenVinoEngine(bundle, precision)
    memory = memory_of(engine, 1)
    assert abs(engine.infer(picture(1), memory).score) < 1e-5  # no rounding of cosines near 1 in the head
    assert engine.infer(picture(2), memory).score > 1e-3


def test_a_product_change_takes_effect_and_back(engine: OpenVinoEngine) -> None:
    one, two = memory_of(engine, 1), memory_of(engine, 2, 3, 4)
    first = engine.infer(picture(1), one)
    other = engine.infer(picture(1), two)
    back = engine.infer(picture(1), one)
    assert other.score > first.score
    assert np.array_equal(back.map, first.map)


def test_arrays_that_must_not_be_written_are_taken(engine: OpenVinoEngine) -> None:
    memory = memory_of(engine, 1)
    expected = engine.infer(picture(2), dict(memory))
    for array in memory.values():
        array.flags.writeable = False
    features = engine.encode(picture(2)).features
    features.flags.writeable = False
    assert engine.infer(picture(2), memory).score == expected.score
    assert engine.match(Encoded(features), memory).score == expected.score
    assert engine.match(Encoded(np.asfortranarray(features)), memory).score == expected.score


def test_what_it_returns_belongs_to_the_caller(engine: OpenVinoEngine) -> None:
    memory = memory_of(engine, 1)
    features, output = engine.encode(picture(2)).features, engine.infer(picture(2), memory)
    kept = features.copy(), output.map.copy()
    engine.infer(picture(5), memory)
    assert np.array_equal(features, kept[0])
    assert np.array_equal(output.map, kept[1])


def test_grey_is_the_same_as_the_same_grey_in_three_channels(engine: OpenVinoEngine) -> None:
    grey = picture(1, (200, 150))
    assert np.array_equal(
        engine.encode(grey).features, engine.encode(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)).features
    )


def test_colour_channels_are_told_apart(engine: OpenVinoEngine) -> None:
    image = picture(1)
    assert not np.allclose(
        engine.encode(image).features, engine.encode(image[:, :, ::-1].copy()).features, atol=1e-3
    )


def test_a_view_into_a_larger_image_is_taken(engine: OpenVinoEngine) -> None:
    large = picture(1, (300, 300, 3))
    crop = large[40:240, 50:250]
    assert np.array_equal(engine.encode(crop).features, engine.encode(crop.copy()).features)


def test_the_time_is_told_by_stage(engine: OpenVinoEngine) -> None:
    assert set(engine.infer(picture(1), memory_of(engine, 1)).latency_ms) == {"preprocess", "graph"}


def test_an_image_that_cannot_be_inspected_is_refused_and_the_next_one_is_not(engine: OpenVinoEngine) -> None:
    memory = memory_of(engine, 1)
    with pytest.raises(FrameError):
        engine.infer(np.zeros((1, 1), np.uint8), memory)
    assert abs(engine.infer(picture(1), memory).score) < 1e-5


@pytest.mark.parametrize(
    ("memory", "words"),
    [
        ({"bank": np.zeros((3, WIDTH), np.float32)}, r"takes \['bank', 'scale'\]"),
        ({"bank": np.zeros((3, WIDTH + 1), np.float32), "scale": PLAIN}, "memory's bank"),
        ({"bank": np.zeros((0, WIDTH), np.float32), "scale": PLAIN}, "memory's bank"),  # nothing to match
        ({"bank": np.zeros((3, WIDTH), np.float64), "scale": PLAIN}, "memory's bank"),
        ({"bank": np.zeros((WIDTH, 3), np.float32).T, "scale": PLAIN}, "memory's bank"),  # other strides
        ({"bank": np.zeros((3, WIDTH), np.float32), "scale": PLAIN[:1]}, "memory's scale"),
    ],
)
def test_a_memory_of_another_bundle_is_refused(
    engine: OpenVinoEngine, memory: dict[str, np.ndarray], words: str
) -> None:
    with pytest.raises(EngineError, match=words) as caught:
        engine.infer(picture(1), memory)
    assert "enroll it again" in caught.value.remedy
    assert abs(engine.infer(picture(1), memory_of(engine, 1)).score) < 1e-5


def test_features_of_another_bundle_are_refused(engine: OpenVinoEngine) -> None:
    with pytest.raises(EngineError, match="expected float32"):
        engine.match(Encoded(np.zeros((PATCHES, WIDTH + 1), np.float32)), memory_of(engine, 1))


@pytest.mark.parametrize(
    ("available", "passed", "expected"),
    [
        ({"fp32", "bf16", "int8"}, {"fp32", "bf16", "int8"}, "int8"),
        ({"fp32", "bf16", "int8"}, {"fp32", "bf16"}, "bf16"),  # int8 failed its gate
        ({"fp32", "int8"}, {"fp32", "bf16"}, "fp32"),  # this CPU has no bf16
        ({"fp32"}, {"fp32", "bf16", "int8"}, "fp32"),
    ],
)
def test_auto_takes_the_fastest_that_passed_and_that_the_cpu_has(
    bundle: Bundle, available: set[Precision], passed: set[Precision], expected: str
) -> None:
    assert passed_precisions(judged(bundle, passed), available)[0] == expected


def test_auto_refuses_a_bundle_of_which_nothing_passed(bundle: Bundle) -> None:
    with pytest.raises(EngineError, match="no graph that passed"):
        passed_precisions(judged(bundle, set()), {"fp32", "bf16", "int8"})


def test_a_precision_that_was_not_built_is_refused(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="no int8 graph"):
        OpenVinoEngine(bundle, "int8")


def test_a_file_that_is_no_graph_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    name = bundle.graph("fp32").file
    (tmp_path / name).write_bytes(b"this is no graph")
    with pytest.raises(EngineError, match=f"cannot compile {name}"):
        OpenVinoEngine(Bundle(tmp_path, bundle.manifest), "fp32")


def judged(bundle: Bundle, passed: set[Precision]) -> Bundle:
    """The bundle as if it had all three precisions, and these had passed."""
    fp32 = bundle.graph("fp32")
    assert fp32.parity is not None
    graphs = {
        precision: fp32.model_copy(
            update={"parity": fp32.parity.model_copy(update={"passed": precision in passed})}
        )
        for precision in ("fp32", "bf16", "int8")
    }
    manifest = Manifest.model_validate({**bundle.manifest.model_dump(), "graphs": graphs})
    return Bundle(bundle.path, manifest)
