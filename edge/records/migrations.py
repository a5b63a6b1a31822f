"""The schema of the history, as the ordered steps that made it.

Each step runs once, in its own transaction, and is recorded by name in the table ``migrations``. A
released step is never edited: a change of the schema is a new step at the end of :data:`MIGRATIONS`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from edge.errors import RecordsError
from edge.inspection import utc_timestamp

Migration = Callable[[sqlite3.Connection], None]


def inspections(db: sqlite3.Connection) -> None:
    """One row per inspection: its flat fields, and which image files belong to it."""
    db.execute(
        """
        CREATE TABLE inspections (
            id TEXT PRIMARY KEY NOT NULL,
            seq INTEGER NOT NULL,
            station TEXT NOT NULL,
            product TEXT NOT NULL,
            part_id TEXT NOT NULL,
            camera TEXT NOT NULL,
            captured_at TEXT NOT NULL,
            verdict TEXT NOT NULL CHECK (verdict IN ('ok', 'ng', 'error')),
            code INTEGER NOT NULL,
            review INTEGER NOT NULL,
            p_anomaly REAL,
            score REAL,
            p_value REAL,
            location TEXT NOT NULL,
            regions TEXT NOT NULL,
            words TEXT NOT NULL,
            error TEXT NOT NULL,
            bundle TEXT NOT NULL,
            "references" INTEGER NOT NULL,
            latency_ms TEXT NOT NULL,
            image TEXT NOT NULL DEFAULT '',
            overlay TEXT NOT NULL DEFAULT '',
            image_bytes INTEGER NOT NULL DEFAULT 0
        )
        """
    )
    db.execute("CREATE INDEX inspections_by_seq ON inspections (seq)")
    db.execute("CREATE INDEX inspections_by_time ON inspections (captured_at)")
    db.execute("CREATE INDEX inspections_by_product ON inspections (product, captured_at)")
    # Retention asks for the oldest images and for the sum of their sizes: both from the index alone.
    db.execute(
        "CREATE INDEX inspections_with_images ON inspections (captured_at, image_bytes) WHERE image_bytes > 0"
    )


def counters(db: sqlite3.Connection) -> None:
    """Lifetime counters per product, which outlive the rows that they counted."""
    db.execute(
        """
        CREATE TABLE counters (
            product TEXT PRIMARY KEY NOT NULL,
            ok INTEGER NOT NULL,
            ng INTEGER NOT NULL,
            error INTEGER NOT NULL,
            review INTEGER NOT NULL,
            timed INTEGER NOT NULL,
            latency_sum_ms REAL NOT NULL,
            latency_min_ms REAL,
            latency_max_ms REAL
        )
        """
    )
    db.execute(
        """
        INSERT INTO counters
        SELECT product, SUM(verdict = 'ok'), SUM(verdict = 'ng'), SUM(verdict = 'error'), SUM(review),
               COUNT(total_ms), COALESCE(SUM(total_ms), 0), MIN(total_ms), MAX(total_ms)
        FROM (SELECT *, json_extract(latency_ms, '$.total') AS total_ms FROM inspections)
        GROUP BY product
        """
    )


def acquisitions(db: sqlite3.Connection) -> None:
    """Which acquisition of the handshake asked for an inspection."""
    db.execute("ALTER TABLE inspections ADD COLUMN acquisition INTEGER NOT NULL DEFAULT 0")


def sources(db: sqlite3.Connection) -> None:
    """Which images have their inspection (``seq``), and how often each ended the station before."""
    db.execute(
        "CREATE TABLE sources "
        "(source TEXT PRIMARY KEY NOT NULL, seq INTEGER NOT NULL, deaths INTEGER NOT NULL)"
    )


def views(db: sqlite3.Connection) -> None:
    """What each of a product's views says of a part, and which one the verdict is of."""
    db.execute("ALTER TABLE inspections ADD COLUMN view TEXT NOT NULL DEFAULT ''")
    db.execute("ALTER TABLE inspections ADD COLUMN views TEXT NOT NULL DEFAULT '[]'")
    db.execute("ALTER TABLE inspections ADD COLUMN other_images TEXT NOT NULL DEFAULT '[]'")


MIGRATIONS: Sequence[Migration] = (inspections, counters, acquisitions, sources, views)


def migrate(db: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the database to the present schema, from any earlier one or from nothing.

    ``db`` is in autocommit mode. Raises :class:`RecordsError` for a database that is not a history
    of inspections, or one that a newer version of the station has written.
    """
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables and "migrations" not in tables:
        raise RecordsError(
            f"The database contains other tables ({', '.join(sorted(tables))}) but no history of "
            "inspections.",
            "Choose another data_dir, or move the file away.",
        )
    db.execute(
        "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY NOT NULL, applied_at TEXT NOT NULL)"
    )
    applied = {name for (name,) in db.execute("SELECT name FROM migrations")}
    unknown = applied - {step.__name__ for step in MIGRATIONS}
    if unknown:
        raise RecordsError(
            f"A newer version wrote the history (unknown schema step: {', '.join(sorted(unknown))}).",
            "Install that version or a later one.",
        )
    for step in migrations:
        if step.__name__ in applied:
            continue
        db.execute("BEGIN IMMEDIATE")
        try:
            step(db)
            db.execute("INSERT INTO migrations VALUES (?, ?)", (step.__name__, utc_timestamp()))
            db.execute("COMMIT")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
