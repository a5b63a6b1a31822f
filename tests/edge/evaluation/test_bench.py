"""A benchmark times real work, and its ratios come from its samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.bundle import Bundle
from edge.errors import FrameError
from edge.evaluation.bench import BenchResult, bench
from edge.evaluation.bench_report import bench_tables
from edge.evaluation.language_run import LanguageRun
from edge.evaluation.parts import given_parts
from edge.evaluation.precision_run import PrecisionRun
from edge.evaluation.station_run import STAGES, StationRun
from edge.vision.openvino import cpu_precisions
from tests.edge.evaluation.conftest import shown

PARTS = 4


@pytest.fixture(scope="module")
def measured(small_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> BenchResult:
    from tests.edge.evaluation.conftest import write_plates

    folder = write_plates(tmp_path_factory.mktemp("parts") / "plates")
    references, _ = given_parts(folder / "train/good", 2)
    images, _ = given_parts(folder / "test/stain", 3)
    return bench(small_bundle, references, images, PARTS, lambda *_: None, precision="fp32")


def test_every_stage_of_every_part_has_its_sample(measured: BenchResult) -> None:
    assert set(measured.station.stages_ms) == set(STAGES) - {"language"}, "nobody measured a language model"
    assert measured.language is None
    for stage, samples in measured.station.stages_ms.items():
        assert len(samples) == PARTS, stage
        assert min(samples) > 0, stage


def test_the_broker_took_every_result(measured: BenchResult) -> None:
    pytest.importorskip("iotcore", reason="the embedded broker is in the extra `demo`")
    assert measured.station.acknowledged


def test_every_precision_that_is_there_was_measured_with_its_encoder(
    measured: BenchResult, small_bundle: Bundle
) -> None:
    assert list(measured.precisions) == [p for p in small_bundle.manifest.graphs if p in cpu_precisions()]
    for run in measured.precisions.values():
        assert len(run.vision_ms) == len(run.encoder_ms) == PARTS
        assert min(run.encoder_ms) > 0


def test_memory_is_that_of_a_process(measured: BenchResult) -> None:
    assert 10 < min(measured.station.rss_mb) <= max(measured.station.rss_mb)
    assert measured.station.peak_rss_mb >= max(measured.station.rss_mb)


def by_hand() -> BenchResult:
    station = StationRun(rss_mb=[100.0, 120.0], peak_rss_mb=150.0)
    for number, stage in enumerate(STAGES):
        station.stages_ms[stage] = [1.0 + number, 3.0 + number]
    return BenchResult(
        bundle="tiny-0123abcd",
        precision="int8",
        threads=None,
        references=4,
        image_size=(96, 128),
        station=station,
        precisions={
            "fp32": PrecisionRun([110.0, 230.0, 330.0], [100.0, 200.0, 300.0]),
            "int8": PrecisionRun([55.0, 92.0, 110.0], [50.0, 80.0, 100.0]),
        },
        language=LanguageRun([60.0, 90.0, 70.0], [100.0, 150.0, 120.0], [100.0, 200.0, 300.0], [4, 6, 8]),
    )


def test_ratios_are_medians_over_pairs_of_one_moment() -> None:
    run = PrecisionRun(vision_ms=[11.0, 24.0, 390.0], encoder_ms=[10.0, 20.0, 300.0])
    assert run.ratio_to_encoder == pytest.approx(1.2)  # of 1.1, 1.2, 1.3: a slow third round changes nothing
    slow = PrecisionRun(vision_ms=[22.0, 72.0, 3900.0], encoder_ms=[20.0, 20.0, 900.0])
    assert run.vision_speedup(over=slow) == pytest.approx(3.0)
    assert run.encoder_speedup(over=slow) == pytest.approx(2.0)


def test_the_json_holds_what_its_samples_say() -> None:
    written = by_hand().to_json()
    assert set(written) == {
        "bundle",
        "precision",
        "machine",
        "threads",
        "references",
        "image_size",
        "parts",
        "stages_ms",
        "vision_ms",
        "total_ms",
        "language",
        "frames_per_second",
        "memory_mb",
        "broker_acknowledged",
        "precisions",
    }
    assert set(written["stages_ms"]) == set(STAGES)
    assert written["stages_ms"]["decode"] == {"p50": 2.0, "p99": pytest.approx(2.98)}
    # preprocess to regions are the stages 1 to 4: 2+3+4+5 = 14, and 22 for the second part
    assert written["vision_ms"]["p50"] == 18.0
    # Differences within a round: 40, 60 and 50 ms; 18 words in 0.6 s.
    assert written["language"]["verdict_adds_ms"]["p50"] == 50.0
    assert written["language"]["words_per_second"] == pytest.approx(30.0)
    assert written["frames_per_second"]["vision"] == pytest.approx(2000 / (14 + 22))
    assert written["memory_mb"] == {"inspecting": 120.0, "peak": 150.0}
    int8 = written["precisions"]["int8"]
    assert int8["ratio_to_encoder"] == pytest.approx(np.median([55 / 50, 92 / 80, 110 / 100]))
    assert int8["vision_speedup"] == pytest.approx(np.median([2.0, 2.5, 3.0]))
    assert int8["encoder_speedup"] == pytest.approx(np.median([2.0, 2.5, 3.0]))
    assert written["precisions"]["fp32"]["vision_speedup"] == 1.0


def test_without_fp32_there_is_no_speedup_to_tell() -> None:
    one = by_hand()
    del one.precisions["fp32"]
    assert one.to_json()["precisions"]["int8"]["vision_speedup"] is None
    assert "int8" in shown(bench_tables(one))


def test_the_tables_name_stages_and_precisions(measured: BenchResult) -> None:
    tables = shown(bench_tables(measured))
    for word in (*measured.station.stages_ms, "vision path", "fp32", "tiny-"):
        assert word in tables


def test_a_language_model_is_timed_in_pairs_and_in_words(speaking_bundle: Bundle, tmp_path: Path) -> None:
    from tests.edge.evaluation.conftest import write_plates

    folder = write_plates(tmp_path / "plates")
    references, _ = given_parts(folder / "train/good", 2)
    images, _ = given_parts(folder / "test/stain", 3)
    measured = bench(speaking_bundle, references, images, 2, lambda *_: None, decided_by="language")
    assert list(measured.station.stages_ms) == list(STAGES)
    assert min(measured.station.stages_ms["language"]) > 0
    run = measured.language
    assert run is not None and len(run.added_ms) == len(run.sentence_words) == 2
    assert min(run.sentence_words) > 2
    tables = shown(bench_tables(measured))
    assert "verdict adds" in tables and "words per second" in tables


def test_an_image_that_cannot_be_inspected_stops_the_measuring(small_bundle: Bundle, plates: Path) -> None:
    references, images = given_parts(plates / "train/good", 2)
    images[0].write_bytes(b"no image")
    with pytest.raises(FrameError, match=images[0].name):
        bench(small_bundle, references, images, PARTS, lambda *_: None, precision="fp32")
