"""The text map and the rows: what the graph of a trained bundle adds to references and score."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnxruntime
import pytest

from edge.bundle import Bundle
from edge.errors import EngineError
from edge.vision.engine import Encoded
from edge.vision.enrollment import enroll
from edge.vision.memory import Memory, as_float32
from edge.vision.openvino import OpenVinoEngine
from tests.build_engines.learned_weights import LANGUAGE_WIDTH, PROMPT_ROWS, TURN_ROWS
from tests.build_engines.tiny import PATCH, SIZE, WIDTH, picture

PATCHES = (SIZE // PATCH) ** 2


@pytest.fixture(scope="module")
def engine(learned_bundle: Bundle) -> Iterator[OpenVinoEngine]:
    engine = OpenVinoEngine(learned_bundle, "fp32", threads=1)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def memory(engine: OpenVinoEngine) -> Memory:
    return enroll(engine, [picture(1), picture(2)], bundle_id="tiny")


def test_it_takes_the_banks_text_its_worth_and_the_verdicts_boundary(engine: OpenVinoEngine) -> None:
    assert engine.memory_shapes == {
        "bank": (None, WIDTH),
        "scale": (2,),
        "bank_text": (None,),
        "text_worth": (1,),
        "boundary": (1,),
    }


def test_it_equals_the_whole_graph_in_onnx_runtime(
    learned_bundle: Bundle, engine: OpenVinoEngine, memory: Memory
) -> None:
    session = onnxruntime.InferenceSession(
        str(learned_bundle.file(learned_bundle.graph("fp32").file)), providers=["CPUExecutionProvider"]
    )
    names = [port.name for port in session.get_outputs()]
    for seed in (1, 3, 4):
        image = picture(seed)
        expected = dict(zip(names, session.run(None, {"image": image[None], **memory.arrays}), strict=True))
        encoded, output = engine.encode(image), engine.infer(image, memory.arrays)
        assert encoded.text is not None and set(output.others) == {"rows", "evidence"}
        np.testing.assert_allclose(encoded.text, expected["text"], atol=1e-4)
        np.testing.assert_allclose(output.others["rows"], expected["rows"], atol=1e-4)
        np.testing.assert_allclose(output.others["evidence"], expected["evidence"], atol=1e-3)
        assert output.others["rows"].shape == (1 + PROMPT_ROWS + TURN_ROWS, LANGUAGE_WIDTH)


def test_matching_what_was_encoded_is_to_the_bit_what_inspection_computes(
    engine: OpenVinoEngine, memory: Memory
) -> None:
    whole = engine.infer(picture(5), memory.arrays)
    parts = engine.match(engine.encode(picture(5)), memory.arrays)
    assert (whole.score, whole.others["evidence"]) == (parts.score, parts.others["evidence"])
    assert np.array_equal(whole.others["rows"], parts.others["rows"])
    assert np.array_equal(whole.map, parts.map)


@pytest.mark.parametrize(
    "text",
    [
        None,  # encoded by a bundle that only sees
        np.zeros(PATCHES - 1, np.float32),
        np.zeros(PATCHES, np.float64),
    ],
)
def test_an_image_that_was_encoded_without_this_text_is_refused(
    engine: OpenVinoEngine, memory: Memory, text: np.ndarray | None
) -> None:
    features = engine.encode(picture(1)).features
    with pytest.raises(EngineError, match="image's text is") as caught:
        engine.match(Encoded(features, text), memory.arrays)
    assert "encode it again" in caught.value.remedy


@pytest.mark.parametrize("missing", ["bank_text", "text_worth", "boundary"])
def test_a_product_of_a_bundle_that_only_sees_is_refused(
    engine: OpenVinoEngine, memory: Memory, missing: str
) -> None:
    less = {name: array for name, array in memory.arrays.items() if name != missing}
    with pytest.raises(EngineError, match="this graph takes"):
        engine.infer(picture(1), less)


@pytest.mark.parametrize("count", [1, 3])
def test_enrollment_learns_what_the_graph_takes(engine: OpenVinoEngine, count: int) -> None:
    references = [picture(seed) for seed in range(count)]
    memory = enroll(engine, references, bundle_id="tiny")
    assert set(memory.arrays) == set(engine.memory_shapes)
    assert memory.arrays["boundary"] == np.float32(memory.boundary)
    bank, told = memory.arrays["bank"], memory.arrays["bank_text"]
    assert told.shape == (len(bank),) and 0 < memory.arrays["text_worth"].item() < np.inf
    for image in references:
        encoded = engine.encode(image)
        own = (encoded.features @ bank.T).argmax(1)
        here = (encoded.features * bank[own]).sum(1) > 1 - 1e-6  # This very patch is in the bank.
        assert here.any() and encoded.text is not None
        np.testing.assert_allclose(told[own][here], encoded.text[here], atol=1e-6)


def test_a_bundle_that_only_sees_learns_neither(tiny_bundle: Bundle) -> None:
    seeing = OpenVinoEngine(tiny_bundle, "fp32", threads=1)
    assert set(enroll(seeing, [picture(1)], bundle_id="tiny").arrays) == {"bank", "scale"}
    assert seeing.encode(picture(1)).text is None
    seeing.close()


def test_words_alone_do_not_accuse_a_reference(engine: OpenVinoEngine, memory: Memory) -> None:
    """Its own patches match themselves, and are no more abnormal than that."""
    silent = {**memory.arrays, "text_worth": as_float32([0])}
    for image in (picture(1), picture(2)):
        told, untold = engine.infer(image, memory.arrays), engine.infer(image, silent)
        assert told.score == pytest.approx(untold.score, abs=1e-4)


def test_words_alone_can_tell_where_references_see_nothing(engine: OpenVinoEngine, memory: Memory) -> None:
    """The part's patches are in the bank; what is told beyond the usual is on the map."""
    encoded = engine.encode(picture(6))
    assert encoded.text is not None
    known = {**memory.arrays, "bank": encoded.features, "scale": as_float32([0, 1])}
    usual = np.full_like(encoded.text, np.median(encoded.text))
    silent = engine.match(encoded, {**known, "bank_text": usual, "text_worth": as_float32([0])})
    telling = engine.match(encoded, {**known, "bank_text": usual, "text_worth": as_float32([1])})
    assert silent.score == pytest.approx(0, abs=1e-5)
    assert 0 < telling.score <= 1 - usual[0]
    assert telling.others["evidence"] > silent.others["evidence"]


def test_the_same_map_read_on_another_boundary_is_other_evidence(
    engine: OpenVinoEngine, memory: Memory
) -> None:
    encoded = engine.encode(picture(7))
    distances = {**memory.arrays, "scale": as_float32([0, 1])}
    score = engine.match(encoded, distances).score
    said = []
    for boundary in (score / 10, score * 10):
        output = engine.match(encoded, {**distances, "boundary": as_float32([boundary])})
        assert output.score == score
        said.append((float(output.others["evidence"].item()), output.others["rows"]))
    assert said[0][0] > 1 > -1 > said[1][0]
    assert np.abs(said[0][1] - said[1][1]).max() > 1e-3
