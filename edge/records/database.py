"""The SQLite file of the history: opening it, and saying in a user's words what is wrong with it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.errors import RecordsError
from edge.records.migrations import migrate

FILE_NAME = "records.sqlite"


class DiskFullError(RecordsError):
    """The disk has no room: what is refused now is taken when there is some again."""


class DamagedError(RecordsError):
    """The file itself is at fault: no further try will read it."""


_RESCUE = "A station sets {path} aside and begins a new history; sqlite3's .recover may rescue the old one."
_REMEDIES: tuple[tuple[str, type[RecordsError], str, str], ...] = (
    # (what SQLite says, the error, what it means here, what to do)
    ("is full", DiskFullError, "The disk is full", "Free some space, or lower records.max_size_gb."),
    (
        "readonly",
        RecordsError,
        "The history may not be written",
        "Give the station's account permission to write there.",
    ),
    (
        "unable to open",
        RecordsError,
        "The history cannot be opened",
        "Look at the folder's rights and at the disk.",
    ),
    ("locked", RecordsError, "Another program holds the history locked", "Close it, then try again."),
    ("disk i/o", RecordsError, "The disk does not read or write", "Look at the disk and its free space."),
    ("malformed", DamagedError, "The history is damaged", _RESCUE),
    ("not a database", DamagedError, "The history is damaged", _RESCUE),
    ("no such", DamagedError, "The history lacks a part of its schema", _RESCUE),
)


def explained(error: sqlite3.Error, path: Path) -> RecordsError:
    """The :class:`RecordsError` for what SQLite raised about the file at ``path``."""
    # By text, because Python 3.10 does not carry SQLite's error codes.
    said = str(error)
    for sign, kind, meaning, remedy in _REMEDIES:
        if sign in said.lower():
            return kind(f"{meaning}: {path} ({said}).", remedy.format(path=path))
    return RecordsError(f"The history cannot be used: {path} ({said}).", "Check the file and its disk.")


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


def set_aside(path: Path) -> Path:
    """Move a damaged history and its images out of the way of a new one; where the file lies now.

    Raises :class:`RecordsError` where the folder takes no change.
    """
    suffix = f".damaged-{time.time_ns()}"
    aside = path.with_name(path.name + suffix)
    try:
        path.rename(aside)
        for log in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + log).rename(aside.with_name(aside.name + log))
        # No row of the new history names them: left in place, nothing would ever delete them.
        with suppress(FileNotFoundError):
            (path.parent / "images").rename(path.parent / f"images{suffix}")
    except OSError as error:
        raise RecordsError(
            f"The damaged history {path} cannot be set aside: {error.strerror or error}.", "Move it away."
        ) from error
    return aside


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of its own for one question, which never waits for the writer nor holds it up.

    Raises :class:`RecordsError` where there is no history, or it cannot be read.
    """
    if not path.is_file():
        raise RecordsError(
            f"There is no history of inspections at {path}.",
            "Run a station with this data_dir first, or give the folder that contains one.",
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
