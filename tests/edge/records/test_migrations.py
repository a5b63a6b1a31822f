"""A history of any earlier schema is brought to the present one, with all that it holds."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from pathlib import Path

import pytest

from edge.errors import RecordsError
from edge.inspection import Inspection
from edge.records import Counters, History, Records, RecordsSettings
from edge.records.database import FILE_NAME
from edge.records.migrations import MIGRATIONS, migrate
from tests.edge.records.parts import inspected

SETTINGS = RecordsSettings(min_free_gb=0)

#: A row as the first schema had it, written out: today's code must not decide what it was.
FIRST_ROW = """
INSERT INTO inspections (id, seq, station, product, part_id, camera, captured_at, verdict, code, review,
    p_anomaly, score, p_value, location, regions, words, error, bundle, "references", latency_ms)
VALUES (?, ?, 's', 'bottle', 'part', 'top', '2026-11-23T08:00:00.000Z', ?, ?, ?, 0.5, 0.5, 0.2, '', '[]', '',
    '', 'b', 4, ?)
"""


def first_schema(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, MIGRATIONS[:1])
    return db


def test_a_history_of_the_first_schema_is_brought_to_the_present_one(tmp_path: Path) -> None:
    db = first_schema(tmp_path / FILE_NAME)
    for row in (
        ("01A", 1, "ok", 1, 0, json.dumps({"total": 10.0})),
        ("01B", 2, "ng", 2, 1, json.dumps({"total": 30.0, "graph": 5.0})),
        ("01C", 3, "error", 3, 0, json.dumps({})),
    ):
        db.execute(FIRST_ROW, row)
    db.close()
    with Records(tmp_path, SETTINGS) as records:
        assert records.counters() == Counters(3, 1, 1, 1, 1, 10.0, 20.0, 30.0)
        assert [record.inspection.seq for record in records.query()] == [3, 2, 1]
        records.append(inspected(4, "ok", latency_ms={"total": 40.0}))
        assert records.counters().latency_mean_ms == pytest.approx(80 / 3)
        assert dataclasses.replace(records.counters(), latency_mean_ms=None) == Counters(
            4, 2, 1, 1, 1, 10.0, None, 40.0
        )


def test_each_step_runs_once_and_is_recorded(tmp_path: Path) -> None:
    for _ in range(2):
        Records(tmp_path, SETTINGS).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        names = [name for (name,) in db.execute("SELECT name FROM migrations ORDER BY rowid")]
    assert names == [step.__name__ for step in MIGRATIONS]


def test_a_step_that_fails_leaves_the_earlier_schema(tmp_path: Path) -> None:
    db = first_schema(tmp_path / FILE_NAME)

    def halfway(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE half (a)")
        db.execute("INSERT INTO nothing VALUES (1)")

    with pytest.raises(sqlite3.OperationalError):
        migrate(db, [halfway])
    assert db.execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchall() == []
    assert [name for (name,) in db.execute("SELECT name FROM migrations")] == ["inspections"]


def test_a_history_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    Records(tmp_path, SETTINGS).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        db.execute("INSERT INTO migrations VALUES ('from_the_future', '2030-01-01')")
    with pytest.raises(RecordsError, match="A newer version"):
        Records(tmp_path, SETTINGS)


def test_a_database_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        db.execute("CREATE TABLE recipes (a)")
    with pytest.raises(RecordsError, match="other tables"):
        Records(tmp_path, SETTINGS)
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


def test_the_present_schema_has_a_column_for_every_field(tmp_path: Path) -> None:
    Records(tmp_path, SETTINGS).close()
    with sqlite3.connect(History(tmp_path).path) as db:
        columns = {row[1] for row in db.execute("PRAGMA table_info(inspections)")}
    assert {field.name for field in dataclasses.fields(Inspection)} | {"code"} <= columns
