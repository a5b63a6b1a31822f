"""The SQLite file of the history: opening it, and saying in a user's words what is wrong with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import RecordsError
from edge.records.migrations import migrate

FILE_NAME = "records.sqlite"

_REMEDIES = (
    # (what SQLite says, what it means here, what to do)
    ("is full", "The disk is full", "Free some space, or lower records.max_size_gb."),
    ("readonly", "The history may not be written", "Give the station's user the right to write there."),
    ("unable to open", "The history cannot be opened", "Look at the folder's rights and at the disk."),
    ("locked", "Another program holds the history locked", "Close it, then try again."),
    ("disk i/o", "The disk does not read or write", "Look at the disk and its free space."),
    (
        "malformed",
        "The history is damaged",
        "Move {path} away (a new history is begun), or rescue it with sqlite3's .recover.",
    ),
    (
        "not a database",
        "The history is damaged",
        "Move {path} away (a new history is begun).",
    ),
    (
        "no such",
        "The history lacks a part of its schema",
        "Move {path} away (a new history is begun), or rescue it with sqlite3's .recover.",
    ),
)


def explained(error: sqlite3.Error, path: Path) -> RecordsError:
    """The :class:`RecordsError` for what SQLite raised about the file at ``path``."""
    # By text, because Python 3.10 does not carry SQLite's error codes.
    said = str(error)
    for sign, meaning, remedy in _REMEDIES:
        if sign in said.lower():
            return RecordsError(f"{meaning}: {path} ({said}).", remedy.format(path=path))
    return RecordsError(f"The history cannot be used: {path} ({said}).", "Look at the file and its disk.")


@contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Turn what SQLite raises inside the block into a :class:`RecordsError` about ``path``."""
    try:
        yield
    except sqlite3.Error as error:
        raise explained(error, path) from error


def open_for_writing(path: Path) -> sqlite3.Connection:
    """The station's own connection, with the present schema; the file is made where there is none.

    In autocommit mode and usable from any one thread at a time. Raises :class:`RecordsError`.
    """
    with explaining(path):
        db = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        with explaining(path):
            # Must come before the first table: deleted rows give their pages back to the disk.
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("PRAGMA journal_mode = WAL")
            # FULL: the last seq must survive a power cut, or a number would be given twice.
            db.execute("PRAGMA synchronous = FULL")
            # The write-ahead log stays at about 1 MB: a small disk must not be filled by it.
            db.execute("PRAGMA wal_autocheckpoint = 256")
            db.execute("PRAGMA journal_size_limit = 1048576")
            migrate(db)
    except RecordsError:
        db.close()
        raise
    return db


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of its own for one question, which never waits for the writer nor holds it up.

    Raises :class:`RecordsError` where there is no history, or it cannot be read.
    """
    if not path.is_file():
        raise RecordsError(
            f"There is no history of inspections at {path}.",
            "Run a station with this data_dir first, or name the folder that holds one.",
        )
    with explaining(path):
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)
        try:
            db.row_factory = sqlite3.Row
            yield db
        finally:
            db.close()


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of the block's writes, or none."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        # SQLite has rolled back by itself after some errors (a full disk is one).
        if db.in_transaction:
            db.execute("ROLLBACK")


def used_bytes(db: sqlite3.Connection) -> int:
    """The size of the database's content, without the pages that deleted rows left behind."""
    pragma = {
        name: int(db.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    }
    return (pragma["page_count"] - pragma["freelist_count"]) * pragma["page_size"]
