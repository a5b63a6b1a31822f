"""What is appended is there: every field, every image that the settings ask for, counted once."""

from __future__ import annotations

import dataclasses
import os
import string
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import RecordsError
from edge.inspection import Inspection, Region, Verdict, utc_timestamp
from edge.records import Entry, History, RecordingFailures, Records, RecordsSettings
from tests.edge.records.parts import inspected, picture, read, spot

ANYWHERE = RecordsSettings(min_free_gb=0)
EVERYTHING = RecordsSettings(keep_images="all", min_free_gb=0)


def files_in(data_dir: Path) -> set[str]:
    return {
        path.relative_to(data_dir).as_posix() for path in (data_dir / "images").rglob("*") if path.is_file()
    }


def test_an_inspection_comes_back_as_it_was(tmp_path: Path) -> None:
    inspection = inspected(verdict="ng", review=True, words="A chip at the top left.", p_value=0.2)
    with Records(tmp_path, ANYWHERE) as records:
        records.append(inspection)
    record = History(tmp_path).get(inspection.id)
    assert record is not None
    assert record.inspection == inspection
    assert record.image is None


FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)
COORDINATES = st.integers(0, 10_000)
INSPECTIONS = st.builds(
    Inspection,
    id=st.text(string.ascii_uppercase + string.digits, min_size=26, max_size=26),
    seq=st.integers(0, 2**62),
    station=st.text(),
    product=st.text(),
    part_id=st.text(),
    camera=st.text(),
    captured_at=st.datetimes(timezones=st.timezones()).map(utc_timestamp),
    verdict=st.sampled_from(Verdict),
    review=st.booleans(),
    p_anomaly=st.none() | FINITE,
    score=st.none() | FINITE,
    p_value=st.none() | FINITE,
    location=st.text(),
    regions=st.lists(
        st.builds(Region, *(COORDINATES for _ in range(5)), FINITE),
        max_size=3,
    ).map(tuple),
    words=st.text(),
    error=st.text(),
    bundle=st.text(),
    references=st.integers(0, 1000),
    latency_ms=st.dictionaries(st.text(), st.floats(0, 1e6)),
)


@given(st.lists(INSPECTIONS, max_size=5, unique_by=lambda inspection: inspection.id))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_inspections_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, batch: list[Inspection]
) -> None:
    data_dir = tmp_path_factory.mktemp("records")
    with Records(data_dir, RecordsSettings(rows_max_days=None, min_free_gb=0)) as records:
        records.append_all([Entry(inspection) for inspection in batch])
        assert records.last_seq() == max((inspection.seq for inspection in batch), default=0)
        found = {record.inspection.id: record.inspection for record in records.query()}
    assert found == {inspection.id: inspection for inspection in batch}


def test_numbers_of_numpy_and_names_that_are_not_utf8_can_be_recorded(tmp_path: Path) -> None:
    part_id = os.fsdecode(b"part-\xff")
    inspection = inspected(
        part_id=part_id,
        score=np.float32(0.5),
        regions=(Region(1, 2, 3, 4, 5, np.float32(0.25)),),
    )
    with Records(tmp_path, ANYWHERE) as records:
        records.append(inspection)
        (record,) = records.query()
    assert record.inspection.part_id == "part-\\udcff"
    assert record.inspection.score == 0.5
    assert record.inspection.regions[0].peak == 0.25


@pytest.mark.parametrize(
    ("keep", "verdict", "review", "kept"),
    [
        ("all", "ok", False, True),
        ("ng", "ok", False, False),
        ("ng", "ok", True, True),  # a person should look at it
        ("ng", "ng", False, True),
        ("ng", "error", False, True),
        ("none", "ng", True, False),
    ],
)
def test_the_settings_say_whose_image_is_kept(
    tmp_path: Path, keep: str, verdict: str, review: bool, kept: bool
) -> None:
    chosen = RecordsSettings.model_validate({"keep_images": keep, "min_free_gb": 0})
    with Records(tmp_path, chosen) as records:
        records.append(inspected(verdict=verdict, review=review), picture(), spot())
        (record,) = records.query()
        assert records.trouble == ""
    assert (record.image is not None, record.overlay is not None) == (kept, kept)
    assert len(files_in(tmp_path)) == (2 if kept else 0)


def test_images_lie_in_a_folder_for_each_day_and_are_what_was_captured(tmp_path: Path) -> None:
    image = picture()
    inspection = inspected()
    lossless = RecordsSettings(image_format="png", min_free_gb=0)
    with Records(tmp_path, lossless) as records:
        records.append(inspection, image, spot())
        (record,) = records.query()
    assert record.image == tmp_path / f"images/2026-11-23/080001-ng-{inspection.id}.png"
    assert record.overlay == tmp_path / f"images/2026-11-23/080001-ng-{inspection.id}.overlay.jpg"
    assert np.array_equal(read(record.image), image)
    assert read(record.overlay).ndim == 3


def test_a_grey_image_without_a_map_is_kept_without_overlay(tmp_path: Path) -> None:
    with Records(tmp_path, ANYWHERE) as records:
        records.append(inspected(), picture()[..., 0])
        (record,) = records.query()
    assert record.overlay is None
    assert record.image is not None
    assert read(record.image, cv2.IMREAD_UNCHANGED).ndim == 2


def test_overlays_can_be_left_out(tmp_path: Path) -> None:
    with Records(tmp_path, RecordsSettings(overlay=False, min_free_gb=0)) as records:
        records.append(inspected(), picture(), spot())
    assert [name.endswith(".overlay.jpg") for name in files_in(tmp_path)] == [False]


def test_an_inspection_is_recorded_and_counted_once(tmp_path: Path) -> None:
    first = inspected(words="first")
    with Records(tmp_path, EVERYTHING) as records:
        records.append(first, picture())
        records.append(dataclasses.replace(first, words="second"), picture())
        (record,) = records.query()
        assert record.inspection.words == "first"
        assert records.counters().total == 1


def test_words_are_filled_in_afterwards_and_nothing_else_is_changed(tmp_path: Path) -> None:
    first, second = inspected(1, "ng"), inspected(2, "ng")
    with Records(tmp_path, EVERYTHING) as records:
        records.append_all([Entry(first, picture()), Entry(second)])
        before = records.get(first.id)
        assert before is not None
        assert records.write_words({first.id: "Yes, one at the \udcff left.", "forgotten": "Yes."}) == 1
        after = records.get(first.id)
        assert after is not None
        words = "Yes, one at the \\udcff left."
        assert after == dataclasses.replace(before, inspection=dataclasses.replace(first, words=words))
        assert [record.inspection.words for record in records.query()] == ["", words]
        assert records.counters().total == 2


def test_the_counters_count_each_product_and_all(tmp_path: Path) -> None:
    with Records(tmp_path, ANYWHERE) as records:
        assert records.counters().total == 0
        assert records.counters().latency_mean_ms is None
        records.append_all(
            [
                Entry(inspected(1, "ok", latency_ms={"total": 10.0})),
                Entry(inspected(2, "ng", latency_ms={"total": 40.0}, review=True)),
                Entry(inspected(3, "error", latency_ms={})),  # never looked at: no time to count
                Entry(inspected(4, "ok", product="cap", latency_ms={"total": 70.0})),
            ]
        )
        bottle, everything = records.counters("bottle"), records.counters()
        assert records.counters("unknown").total == 0
    assert (bottle.total, bottle.ok, bottle.ng, bottle.error, bottle.review) == (3, 1, 1, 1, 1)
    assert (bottle.latency_min_ms, bottle.latency_mean_ms, bottle.latency_max_ms) == (10.0, 25.0, 40.0)
    assert (everything.total, everything.latency_mean_ms, everything.latency_max_ms) == (4, 40.0, 70.0)


def test_the_last_seq_is_known_after_a_restart(tmp_path: Path) -> None:
    with Records(tmp_path, ANYWHERE) as records:
        assert records.last_seq() == 0
        records.append(inspected(7))
        records.append(inspected(8))
    with Records(tmp_path, ANYWHERE) as records:
        assert records.last_seq() == 8


def test_two_stations_cannot_write_one_history(tmp_path: Path) -> None:
    with Records(tmp_path, ANYWHERE), pytest.raises(RecordsError, match="Another station"):
        Records(tmp_path, ANYWHERE)
    Records(tmp_path, ANYWHERE).close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordsError, match=f"{tmp_path}/file/data: Not a directory"):
        Records(tmp_path / "file/data", ANYWHERE)


def test_an_image_that_cannot_be_kept_costs_no_row(tmp_path: Path) -> None:
    (tmp_path / "images").write_text("in the way")
    with Records(tmp_path, ANYWHERE) as records:
        records.append(inspected(1), picture(), spot())
        assert "cannot be written" in records.trouble
        assert records.unrecorded == RecordingFailures(images=1)
        assert [record.image for record in records.query()] == [None]
        (tmp_path / "images").unlink()
        records.append(inspected(2), picture(), spot())
        assert records.trouble == ""
        assert records.unrecorded == RecordingFailures(images=1)


def test_an_image_that_no_format_can_hold_costs_no_row(tmp_path: Path) -> None:
    too_wide = np.zeros((1, 70_000, 3), np.uint8)
    with Records(tmp_path, ANYWHERE) as records:
        records.append(inspected(1), too_wide)
        assert records.unrecorded.images == 1
        assert records.last_seq() == 1
    assert files_in(tmp_path) == set()


def test_a_disk_that_is_nearly_full_keeps_rows_and_no_image(tmp_path: Path) -> None:
    with Records(tmp_path, RecordsSettings(min_free_gb=1e9)) as records:
        records.append(inspected(), picture())
        assert "less than 1e+09 GB free" in records.trouble
        assert records.unrecorded == RecordingFailures(images=1)
        assert records.last_seq() == 1


def test_files_that_a_crash_left_without_a_row_are_removed(tmp_path: Path) -> None:
    with Records(tmp_path, ANYWHERE) as records:
        records.append(inspected(), picture(), spot())
    kept = files_in(tmp_path)
    day = tmp_path / "images/2026-11-23"
    (day / "080002-ng-01STRAY.jpg").write_bytes(b"whole, but never recorded")
    (day / ".080003-ng-01HALF.jpg.tmp").write_bytes(b"hal")
    Records(tmp_path, ANYWHERE).close()
    assert files_in(tmp_path) == kept
