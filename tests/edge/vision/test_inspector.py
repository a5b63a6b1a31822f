"""A finding follows from the score and the memory alone, and promises no more than was seen."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest

from edge.errors import FrameError, ProductError
from edge.inspection import Verdict
from edge.vision.enrollment import enroll
from edge.vision.inspector import Inspector, promised_rate
from edge.vision.memory import Memory, as_float32
from edge.vision.openvino import OpenVinoEngine
from tests.edge.vision.enrollment.test_pipe import part


@pytest.fixture(scope="module")
def memory(engine: OpenVinoEngine) -> Memory:
    return enroll(engine, [part(i) for i in range(3)], bundle_id="tiny")


def test_the_verdict_is_the_score_against_the_boundary(engine: OpenVinoEngine, memory: Memory) -> None:
    score = Inspector(engine, memory).inspect(part(60, stain=True)).score
    above = Inspector(engine, dataclasses.replace(memory, boundary=score - 0.01))
    below = Inspector(engine, dataclasses.replace(memory, boundary=score + 0.01))
    assert above.inspect(part(60, stain=True)).verdict is Verdict.NG
    assert below.inspect(part(60, stain=True)).verdict is Verdict.OK


def test_every_part_has_a_place_since_others_may_call_it_ng(engine: OpenVinoEngine, memory: Memory) -> None:
    ng = Inspector(engine, dataclasses.replace(memory, boundary=1e-6)).inspect(part(60, stain=True))
    ok = Inspector(engine, dataclasses.replace(memory, boundary=99.0)).inspect(part(60, stain=True))
    assert ng.p_anomaly > 0.5 > ok.p_anomaly
    assert ng.location == ok.location != ""
    assert ng.regions and ok.regions


def test_features_give_the_very_finding_that_the_image_gives(engine: OpenVinoEngine, memory: Memory) -> None:
    inspector = Inspector(engine, memory)
    whole = inspector.inspect(part(61, stain=True))
    stained = part(61, stain=True)
    halves = inspector.inspect_encoded([engine.encode(stained)], inspector.placed(stained))
    np.testing.assert_array_equal(whole.map, halves.map)
    assert (whole.score, whole.regions) == (halves.score, halves.regions)


def test_the_map_belongs_to_the_caller(engine: OpenVinoEngine, memory: Memory) -> None:
    inspector = Inspector(engine, memory)
    first = inspector.inspect(part(62))
    before = first.map.copy()
    inspector.inspect(part(63, stain=True))
    np.testing.assert_array_equal(first.map, before)


def test_every_stage_is_timed(engine: OpenVinoEngine, memory: Memory) -> None:
    inspector, image = Inspector(engine, memory), part(64)
    began_s = time.perf_counter()
    latency = inspector.inspect(image).latency_ms
    took_ms = 1000 * (time.perf_counter() - began_s)
    assert list(latency) == ["preprocess", "graph", "calibration", "regions"]
    assert min(latency.values()) > 0
    assert sum(latency.values()) <= took_ms


def test_an_image_too_small_to_inspect_is_an_error_not_an_ok(engine: OpenVinoEngine, memory: Memory) -> None:
    with pytest.raises(FrameError, match="1x1"):
        Inspector(engine, memory).inspect(np.zeros((1, 1, 3), np.uint8))


def test_a_memory_of_another_graph_is_refused(engine: OpenVinoEngine, memory: Memory) -> None:
    foreign = dataclasses.replace(memory, arrays={"patches": as_float32([[1.0]])}, bundle_id="other-1")
    with pytest.raises(ProductError, match="other-1"):
        Inspector(engine, foreign)


@pytest.mark.parametrize(
    ("score", "good", "parts", "promised"),
    [
        (9.0, [0.1, 0.2, 0.3], 3, 0.25),  # above all three: no lower rate than 1/4 can be promised
        (0.2, [0.1, 0.2, 0.3], 3, 0.75),  # as high as the middle one
        (-1.0, [0.1, 0.2, 0.3], 3, 1.0),  # below all: any good part is as anomalous
        (9.0, [0.1] * 8, 1, 0.5),  # eight views of one part are still one part
    ],
)
def test_n_good_parts_cannot_promise_a_rate_under_1_in_n_plus_1(
    score: float, good: list[float], parts: int, promised: float
) -> None:
    assert promised_rate(score, as_float32(good), parts) == pytest.approx(promised)
