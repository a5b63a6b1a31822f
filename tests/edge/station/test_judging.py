"""A part gets a verdict or an error, and nothing that goes wrong ends the station."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.bundle import Bundle
from edge.cameras import Frame
from edge.inspection import Verdict
from edge.station.judging import Judge
from edge.station.products import Products
from edge.vision.inspector import Inspector
from edge.vision.openvino import OpenVinoEngine
from tests.edge.parts import good_part, stained_part


@pytest.fixture
def inspector(enrolled: Path, tiny_bundle: Bundle) -> Iterator[Inspector]:
    engine = OpenVinoEngine(tiny_bundle)
    yield Inspector(engine, Products(enrolled).get("plate").memory())
    engine.close()


@pytest.fixture
def judge(inspector: Inspector) -> Judge:
    return Judge(inspector, station="cell-3", product="plate", bundle="tiny-1")


def frame(image: np.ndarray | None, error: str = "") -> Frame:
    return Frame(image, "part-1", "top", datetime(2026, 1, 2, 3, 4, 5, 678_000, timezone.utc), 1, error)


def test_an_inspection_says_what_of_which_part_where_and_when(judge: Judge) -> None:
    judged = judge.judge(frame(stained_part()), seq=7)
    inspection = judged.inspection
    assert (inspection.verdict, inspection.seq) == (Verdict.NG, 7)
    assert (inspection.station, inspection.product, inspection.bundle) == ("cell-3", "plate", "tiny-1")
    assert (inspection.part_id, inspection.camera) == ("part-1", "top")
    assert inspection.captured_at == "2026-01-02T03:04:05.678Z"
    assert inspection.references == 3
    assert inspection.regions and inspection.location
    assert judged.anomaly_map is not None and judged.anomaly_map.dtype == np.float32


def test_the_whole_time_holds_its_stages(judge: Judge) -> None:
    import time

    arrived_s = time.monotonic() - 0.5
    latency_ms = judge.judge(frame(good_part(9)), arrived_s=arrived_s).inspection.latency_ms
    assert latency_ms["queue"] >= 500
    stages = sum(ms for name, ms in latency_ms.items() if name != "total")
    assert latency_ms["total"] >= stages - 0.01


def test_a_frame_with_an_error_is_never_scored(judge: Judge) -> None:
    inspection = judge.judge(frame(None, "The file is damaged.")).inspection
    assert (inspection.verdict, inspection.score, inspection.error) == (
        Verdict.ERROR,
        None,
        "The file is damaged.",
    )


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((16, 16, 3), np.uint8),  # smaller than the engine takes
        np.zeros((64, 64, 4), np.uint8),  # four channels
        np.zeros((64, 64), np.uint16),  # not 8 bits
    ],
)
def test_an_image_that_the_engine_refuses_is_the_parts_own_error(judge: Judge, image: np.ndarray) -> None:
    judged = judge.judge(frame(image))
    assert judged.inspection.verdict is Verdict.ERROR
    assert judged.inspection.error
    assert judged.engine_error == ""


@pytest.mark.parametrize(
    "error",
    [
        cv2.error("OpenCV: an assertion failed"),
        OSError(28, "No space left on device"),
        AttributeError("'NoneType' object has no attribute 'shape'"),
        MemoryError(),
        KeyError("bank"),
        AssertionError(),
        type("SomethingNew", (Exception,), {})("nobody has thought of it"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_goes_wrong_over_a_part_is_that_parts_error_with_its_trace_in_the_log(
    judge: Judge,
    inspector: Inspector,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    def fail(_: np.ndarray) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(inspector, "inspect", fail)
        judged = judge.judge(frame(good_part(9)), seq=4)
    inspection = judged.inspection
    assert (inspection.verdict, inspection.seq, inspection.part_id) == (Verdict.ERROR, 4, "part-1")
    assert type(error).__name__ in inspection.error
    assert judged.image is not None, "it is kept for whoever looks for the cause"
    assert judged.engine_error == inspection.error
    (told,) = caplog.records
    assert told.exc_info is not None and told.exc_info[1] is error and "part-1" in told.message
    assert judge.judge(frame(good_part(9))).inspection.verdict is Verdict.OK


@pytest.mark.parametrize("order", [KeyboardInterrupt, SystemExit])
def test_an_order_to_end_is_no_parts_error(
    judge: Judge, inspector: Inspector, monkeypatch: pytest.MonkeyPatch, order: type[BaseException]
) -> None:
    def end(_: np.ndarray) -> None:
        raise order

    monkeypatch.setattr(inspector, "inspect", end)
    with pytest.raises(order):
        judge.judge(frame(good_part(9)))


def test_an_engine_that_fails_is_an_error_and_is_well_again_afterwards(
    judge: Judge, inspector: Inspector
) -> None:
    good = inspector.memory
    bank = np.zeros((4, good.arrays["bank"].shape[1] + 1), np.float32)
    inspector.use(dataclasses.replace(good, arrays={**good.arrays, "bank": bank}))
    judged = judge.judge(frame(good_part(9)))
    assert judged.inspection.verdict is Verdict.ERROR
    assert judged.engine_error == judged.inspection.error != ""
    inspector.use(good)
    assert judge.judge(frame(good_part(9))).inspection.verdict is Verdict.OK
