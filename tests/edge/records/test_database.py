"""A database that cannot be used is answered with what is wrong and what to do."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge.errors import RecordsError
from edge.records import Entry, History, Records, RecordsSettings
from edge.records.database import FILE_NAME, explained
from tests.edge.records.parts import inspected, picture, spot

SETTINGS = RecordsSettings(min_free_gb=0)


@pytest.fixture
def used(tmp_path: Path) -> Path:
    with Records(tmp_path, SETTINGS) as records:
        records.append_all([Entry(inspected(seq, words="w" * 500)) for seq in range(1, 101)])
    return tmp_path / FILE_NAME


def test_a_file_that_is_no_database_is_kept_aside_with_its_images_and_a_new_history_begun(used: Path) -> None:
    with Records(used.parent, SETTINGS) as records:
        records.append(inspected(500, "ng"), picture(), spot())
    image = next((used.parent / "images").rglob("*.jpg"))
    used.write_bytes(b"something else" * 1000)
    before = used.read_bytes()
    with pytest.raises(RecordsError, match=f"damaged: {used}"):
        History(used.parent).query()
    with Records(used.parent, SETTINGS) as records:
        aside = records.take_set_aside()
        assert aside is not None and aside.read_bytes() == before
        assert records.take_set_aside() is None, "said once"
        records.append(inspected(501, "ng"), picture())
        assert records.last_seq() == 501
    kept = [path for path in used.parent.rglob(image.name) if ".damaged-" in str(path)]
    assert len(kept) == 1, "an image is not taken for a stray of the new history"
    with Records(used.parent, SETTINGS) as records:
        assert records.take_set_aside() is None and records.last_seq() == 501


def test_a_history_that_is_damaged_while_a_station_writes_it_costs_no_further_row(used: Path) -> None:
    with Records(used.parent, SETTINGS) as records:
        records.append(inspected(500))
        with used.open("r+b") as file:  # as a disk does that gives back other blocks than it was given
            file.seek(4096)
            file.write(b"\xa5" * (used.stat().st_size - 4096))
        records._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        records._db.execute("PRAGMA shrink_memory")
        next_two = [inspected(seq) for seq in (501, 502)]
        records.append_all(list(map(Entry, next_two)))
        assert records.take_set_aside() is not None
        assert records.write_words({next_two[1].id: "a scratch"}) == 1
        assert [one.seq for one in records.after(0, 10)] == [501, 502]
        records.verify()


def test_a_database_with_damaged_pages_is_found_out(used: Path) -> None:
    content = bytearray(used.read_bytes())
    content[4096 * 5 : 4096 * 15] = b"\xa5" * 4096 * 10
    used.write_bytes(content)
    with pytest.raises(RecordsError, match="damaged") as caught:
        History(used.parent).verify()
    assert str(used) in caught.value.remedy


def test_a_database_cut_short_is_found_out(used: Path) -> None:
    used.write_bytes(used.read_bytes()[:20_000])
    with pytest.raises(RecordsError, match="damaged"):
        History(used.parent).verify()


def test_a_sound_database_is_verified(used: Path) -> None:
    History(used.parent).verify()


def test_an_empty_file_is_a_new_history(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).touch()
    with Records(tmp_path, SETTINGS) as records:
        assert records.last_seq() == 0


def test_an_empty_file_is_no_history_to_read(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).touch()
    with pytest.raises(RecordsError, match="lacks a part of its schema"):
        History(tmp_path).last_seq()


def test_a_failed_opening_frees_the_folder(used: Path) -> None:
    good = used.read_bytes()
    used.unlink()
    with closing(sqlite3.connect(used)) as db:
        db.execute("CREATE TABLE other(text)")
    with pytest.raises(RecordsError, match="other tables"):
        Records(used.parent, SETTINGS)
    used.write_bytes(good)
    Records(used.parent, SETTINGS).close()


def test_a_database_that_another_program_locks_is_told_as_that(used: Path) -> None:
    with Records(used.parent, SETTINGS) as records:
        records._db.execute("PRAGMA busy_timeout = 10")
        other = sqlite3.connect(used, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RecordsError, match="locked"):
            records.append(inspected(200))
        other.execute("ROLLBACK")
        other.close()
        records.append(inspected(200))
        assert records.last_seq() == 200
        assert records.unrecorded.inspections == 1


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("database or disk is full", "The disk is full"),
        ("attempt to write a readonly database", "may not be written"),
        ("unable to open database file", "cannot be opened"),
        ("disk I/O error", "does not read or write"),
        ("database disk image is malformed", "damaged"),
        ("something new", "cannot be used"),
    ],
)
def test_what_sqlite_says_is_said_in_a_users_words(said: str, meaning: str) -> None:
    error = explained(sqlite3.OperationalError(said), Path("/data/records.sqlite"))
    assert meaning in error.message
    assert said in error.message
    assert "/data/records.sqlite" in error.message
    assert error.remedy
