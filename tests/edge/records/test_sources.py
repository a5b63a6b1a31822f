"""A source counts as inspected if, and only if, its row was kept."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from edge.errors import RecordsError
from edge.records import Entry, Records, Sources
from edge.records import sources as functions
from tests.edge.records.parts import inspected


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path)


def test_a_source_is_marked_with_its_row(records: Records) -> None:
    asked = Sources(records.path)
    assert asked.look_up("a:1.png:5:6") == (0, 0)
    records.append_all([Entry(inspected(3, "ok"), sources=("a:1.png:5:6",)), Entry(inspected(4, "ok"))])
    assert asked.look_up("a:1.png:5:6") == (3, 0)
    assert asked.look_up("") == (0, 0)


def test_a_row_that_was_not_kept_marks_nothing(records: Records) -> None:
    asked = Sources(records.path)
    with sqlite3.connect(records.path) as other:
        other.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON inspections BEGIN SELECT RAISE(FAIL, 'no more'); END"
        )
    with pytest.raises(RecordsError):
        records.append_all([Entry(inspected(1, "ok"), sources=("a:1.png:5:6",))])
    assert asked.look_up("a:1.png:5:6") == (0, 0)


def test_deaths_are_counted_until_the_source_is_inspected(records: Records) -> None:
    asked = Sources(records.path)
    records.begin_sources(["a:1", "a:2"])
    records.begin_sources(["a:1"])
    assert (asked.look_up("a:1"), asked.look_up("a:2")) == ((0, 2), (0, 1))
    records.append_all([Entry(inspected(7, "error"), sources=("a:1",))])
    assert asked.look_up("a:1") == (7, 0)


def test_one_cameras_sources_can_be_new_again(records: Records) -> None:
    asked = Sources(records.path)
    records.append_all([Entry(inspected(n, "ok"), sources=(s,)) for n, s in ((1, "a:x"), (2, "ab:x"))])
    records.begin_sources([], again="a:")
    assert (asked.look_up("a:x"), asked.look_up("ab:x")) == ((0, 0), (2, 0))


def test_what_is_gone_is_forgotten_and_so_are_the_oldest_of_too_many(records: Records) -> None:
    asked = Sources(records.path)
    records.append_all([Entry(inspected(n, "ok"), sources=(f"a:{n}",)) for n in range(1, 6)])
    records.forget_sources(["a:4"])
    with sqlite3.connect(records.path) as db:
        functions.trim(db, at_most=2)
    known = [n for n in range(1, 6) if asked.look_up(f"a:{n}")[0]]
    assert known == [3, 5]


def test_a_history_that_cannot_be_read_knows_nothing(records: Records) -> None:
    asked = Sources(records.path)
    with sqlite3.connect(records.path) as db:
        db.execute("DROP TABLE sources")
    assert asked.look_up("a:1") == (0, 0)
