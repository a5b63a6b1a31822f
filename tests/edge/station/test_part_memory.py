"""What is noted before a file is opened outlives the process, and no longer than that matters."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from edge.errors import RecordsError
from edge.records import Entry, Records
from edge.station.part_memory import KeptPartMemory
from tests.edge.records.parts import inspected


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path)


def killed(memory: KeptPartMemory) -> None:
    """The process ends without a word: nothing is closed. Its file is all that is left."""
    del memory


def test_what_was_under_way_when_the_process_died_is_remembered(records: Records) -> None:
    memory = KeptPartMemory(records, "camera")
    for source in ("camera:a", "camera:b"):
        memory.begin(source)
    records.append_all([Entry(inspected(1, "ok"), sources=("camera:a",))])
    killed(memory)
    memory = KeptPartMemory(records, "camera")
    assert (memory.inspected("camera:a"), memory.deaths("camera:a")) == (True, 0)
    assert (memory.inspected("camera:b"), memory.deaths("camera:b")) == (False, 1)
    killed(memory)
    assert KeptPartMemory(records, "camera").deaths("camera:b") == 1, "it was not opened again"


def test_a_station_that_ends_as_it_should_blames_no_file(records: Records) -> None:
    memory = KeptPartMemory(records, "camera")
    memory.begin("camera:a")
    memory.close()
    assert KeptPartMemory(records, "camera").deaths("camera:a") == 0


def test_of_a_long_run_only_what_may_still_be_under_way_is_noted(records: Records, tmp_path: Path) -> None:
    memory = KeptPartMemory(records, "camera")
    for number in range(5000):
        memory.begin(f"camera:{number}")
    assert (tmp_path / "under-way-camera").stat().st_size < 20_000
    killed(memory)
    memory = KeptPartMemory(records, "camera")
    assert (memory.deaths("camera:4999"), memory.deaths("camera:1000")) == (1, 0)


def test_a_file_under_way_is_not_shown_twice_and_is_when_it_went_and_came_back(records: Records) -> None:
    memory = KeptPartMemory(records, "camera")
    memory.begin("camera:a")
    assert memory.inspected("camera:a") and not memory.settled("camera:a")
    memory.forget(["camera:a"])
    assert not memory.inspected("camera:a")


def test_a_history_that_takes_nothing_keeps_no_station_from_starting(
    records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    memory = KeptPartMemory(records, "camera")
    memory.begin("camera:a")
    killed(memory)
    with sqlite3.connect(records.path) as other:
        other.execute("CREATE TRIGGER no BEFORE INSERT ON sources BEGIN SELECT RAISE(FAIL, 'disk i/o'); END")
    killed(KeptPartMemory(records, "camera"))
    assert "does not read or write" in caplog.text
    with sqlite3.connect(records.path) as other:
        other.execute("DROP TRIGGER no")
    assert KeptPartMemory(records, "camera").deaths("camera:a") == 1, "it is still noted"


def test_a_folder_that_cannot_be_written_is_told(records: Records, tmp_path: Path) -> None:
    (tmp_path / "under-way-camera").mkdir()
    with pytest.raises(RecordsError, match="under-way-camera cannot be written"):
        KeptPartMemory(records, "camera")
