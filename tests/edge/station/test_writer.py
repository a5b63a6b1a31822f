"""The writer keeps every row in order, and gives up images before it gives up anything else."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.inspection import Inspection, Verdict, utc_timestamp
from edge.messaging import MessagingSettings, Publisher
from edge.records import Records, RecordsSettings
from edge.station import writer as writer_module
from edge.station.health import Health, Level
from edge.station.judging import Judged
from edge.station.writer import Writer
from tests.edge.parts import good_part


def judged(seq: int) -> Judged:
    inspection = Inspection(
        f"id-{seq:04}", seq, "s", "plate", f"part-{seq}", "top", utc_timestamp(), Verdict.OK
    )
    return Judged(inspection, good_part(seq))


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with Records(tmp_path, RecordsSettings(keep_images="all", overlay=False, min_free_gb=0)) as records:
        yield records


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    """One that publishes nowhere."""
    return Publisher(MessagingSettings(), tmp_path)


def test_images_that_the_disk_is_too_slow_for_are_dropped_and_their_rows_are_not(
    records: Records, publisher: Publisher, health: Health
) -> None:
    writer, count = Writer(records, publisher, health), writer_module._IMAGES_WAITING + 8
    for seq in range(1, count + 1):
        writer.put(judged(seq))
    writer.finish()
    writer.run()
    found = sorted(records.query(limit=100), key=lambda record: record.inspection.seq)
    assert [record.inspection.seq for record in found] == list(range(1, count + 1))
    assert [record.image is None for record in found] == [False] * (count - 8) + [True] * 8
    assert writer.lost == 0


def test_what_waits_is_bounded_and_the_oldest_goes_first(
    records: Records, publisher: Publisher, health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "BACKLOG", 5)
    writer = Writer(records, publisher, health)
    for seq in range(1, 9):
        writer.put(judged(seq))
    # A database that is not there any more takes nothing, as a broken disk does.
    records.close()
    writer.finish()
    writer.run()
    assert writer.lost == 8
    assert health.conditions()["records"].level is Level.FAULT
    assert "5 inspections wait in memory. 3 are lost." in health.conditions()["records"].detail


def test_a_picture_that_cannot_be_drawn_costs_no_row_and_no_part_behind_it(
    tmp_path: Path, publisher: Publisher, health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    settings = RecordsSettings(keep_images="all", overlay=True, min_free_gb=0)
    heard: list[Judged] = []
    with Records(tmp_path / "own", settings) as records:
        writer = Writer(records, publisher, health, [heard.append])
        writer.put(dataclasses.replace(judged(1), anomaly_map=np.zeros((0, 0), np.float32)))
        writer.finish()
        writer.run()
        assert health.conditions()["records"].level is Level.DEGRADED
        assert "The log has the details" in health.conditions()["records"].detail
        assert any(record.exc_info and "seq 1" in record.message for record in caplog.records)
        writer = Writer(records, publisher, health)
        writer.put(judged(2))
        writer.finish()
        writer.run()
        found = sorted(records.query(), key=lambda record: record.inspection.seq)
    assert [(record.inspection.seq, record.image is None) for record in found] == [(1, True), (2, False)]
    assert [part.inspection.seq for part in heard] == [1]
    assert (writer.lost, health.conditions()["records"].level) == (0, Level.OK)


def test_a_sentence_is_filled_in_behind_its_row(
    records: Records, publisher: Publisher, health: Health
) -> None:
    heard: list[str] = []
    writer = Writer(records, publisher, health, hearers=[lambda told: heard.append(told.words)])
    part = judged(1)
    writer.put(part)
    writer.put_words(dataclasses.replace(part.inspection, words="Yes, at the top."))
    writer.put(judged(2))
    writer.finish()
    writer.run()
    found = sorted(records.query(), key=lambda record: record.inspection.seq)
    assert [record.inspection.words for record in found] == ["Yes, at the top.", ""]
    assert found[0].image is not None
    assert records.counters().total == 2
    assert heard == ["Yes, at the top."]


def test_a_sentence_that_the_disk_does_not_take_is_no_lost_inspection(
    records: Records, publisher: Publisher, health: Health
) -> None:
    writer, part = Writer(records, publisher, health), judged(1)
    writer.put(part)
    writer.put_words(dataclasses.replace(part.inspection, words="Yes, at the top."))
    records.close()
    writer.finish()
    writer.run()
    assert writer.lost == 1
    assert "1 inspections wait" in health.conditions()["records"].detail


def test_listeners_hear_of_every_part_once_it_is_kept(
    records: Records, publisher: Publisher, health: Health
) -> None:
    heard: list[tuple[int, int]] = []

    def listen(part: Judged) -> None:
        heard.append((part.inspection.seq, records.last_seq()))

    writer = Writer(records, publisher, health, [listen])
    for seq in (1, 2, 3):
        writer.put(judged(seq))
    writer.finish()
    writer.run()
    assert [seq for seq, _ in heard] == [1, 2, 3]
    assert all(last >= seq for seq, last in heard)
