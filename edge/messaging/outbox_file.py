"""The outbox's SQLite file: schema, durability, and how it behaves when the disk is full."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from edge.errors import MessagingError

log = logging.getLogger(__name__)

#: The log is copied into the database when it has this many pages of 4096 bytes.
_LOG_PAGES = 256

#: Blocks held back beside the database. Making room in a database needs room itself: the log must
#: be copied into it first, so this is more than a log.
RESERVE_BYTES = 2 << 20

#: Free space kept inside the database, on the disk already: about 1,500 messages. A station that
#: reaches its broker needs no more, so that others may fill its disk without any loss.
SPARE_BYTES = 1 << 20

_MAX_PAGES = 0xFFFFFFFE

_SCHEMA_VERSION = 2
_SCHEMA = """
CREATE TABLE message(
    id INTEGER PRIMARY KEY AUTOINCREMENT, stream INTEGER NOT NULL, seq INTEGER NOT NULL,
    topic TEXT NOT NULL, payload BLOB NOT NULL, retain INTEGER NOT NULL, bytes INTEGER NOT NULL,
    expires REAL);
CREATE INDEX message_stream ON message(stream, id);
CREATE INDEX message_expires ON message(expires) WHERE expires IS NOT NULL;
CREATE TABLE retained(topic TEXT PRIMARY KEY, payload BLOB NOT NULL);
CREATE TABLE command(id TEXT PRIMARY KEY, number INTEGER NOT NULL, answer BLOB NOT NULL,
    asked TEXT NOT NULL DEFAULT '');
CREATE TABLE counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""
#: What brings a file of an earlier version to the next one.
_MIGRATIONS = {1: "ALTER TABLE command ADD COLUMN asked TEXT NOT NULL DEFAULT ''"}

#: What SQLite says of a file that is sound and not this program's.
_NOT_OURS = ("already exists", "no such")


class OutboxDiskError(MessagingError):
    """The file cannot be used; nothing is wrong with what it should have taken."""


class _Tables:
    """The outbox's tables, on the disk or in memory."""

    _path: Path
    db: sqlite3.Connection

    def unusable(self, error: Exception) -> OutboxDiskError:
        """What to tell about an error of the file."""
        return unusable(self._path, error)

    def rollback(self) -> None:
        """End a transaction that failed."""
        rollback(self.db)

    def close(self) -> None:
        """Close the database: what is in the file stays, what is in memory is gone."""
        self.db.close()


class OutboxFile(_Tables):
    """An open file, owned by one process and one thread.

    Attributes:
        db: the connection, without implicit transactions.
        is_new: there was none, or it was damaged.
        was_reset: the file was damaged; it is kept aside and this one is new.

    Raises:
        MessagingError: the file cannot be written, or another process has it.
    """

    durable = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reserve = path.with_name(path.name + ".reserve")
        self.is_new = False
        self.was_reset = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self.db = self._open()
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                # A station that cannot publish at all is worse than one that lost its queue: the
                # damaged file is kept for a look.
                path.rename(path.with_name(f"{path.name}.damaged-{time.time_ns()}"))
                for suffix in ("-wal", "-shm"):
                    path.with_name(path.name + suffix).unlink(missing_ok=True)
                self.db = self._open()
                self.was_reset = True
            self._keep_spare_pages()
            self.keep_reserve()
        except (sqlite3.Error, OSError) as error:
            raise self.unusable(error) from error

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, timeout=0.2)
        try:
            # Exclusive: two stations on one outbox would send everything twice and number it apart.
            db.execute("PRAGMA locking_mode=EXCLUSIVE")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
            db.execute("BEGIN IMMEDIATE")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > _SCHEMA_VERSION:
                raise MessagingError(
                    f"The outbox {self._path} was written by a newer version of this program.",
                    "Update the program, or move the file away to begin with an empty outbox.",
                )
            if version == 0:
                create_tables(db)
                self.is_new = True
            for step in range(version or _SCHEMA_VERSION, _SCHEMA_VERSION):
                db.execute(_MIGRATIONS[step])
            if version != _SCHEMA_VERSION:
                db.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")
            db.execute("COMMIT")
            db.execute("SELECT 1 FROM message, retained, command, counter LIMIT 0")
            if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("quick_check failed")
        except (sqlite3.Error, MessagingError):
            db.close()
            raise
        return db

    def _keep_spare_pages(self) -> None:
        free = self.db.execute("PRAGMA freelist_count").fetchone()[0]
        missing = SPARE_BYTES - free * self.db.execute("PRAGMA page_size").fetchone()[0]
        if missing <= 0:
            return
        try:
            self.db.execute("CREATE TABLE spare(room BLOB)")
            self.db.execute("INSERT INTO spare VALUES (zeroblob(?))", (missing,))
            self.start_log_anew()  # only now do the pages have blocks on the disk
        except sqlite3.OperationalError as error:
            log.warning("the outbox %s keeps no spare space: %s", self._path, error)
        self.db.execute("DROP TABLE IF EXISTS spare")

    # -- on a full disk ------------------------------------------------------------------------

    def hold_size(self) -> None:
        """Let go of the reserve and keep the database's size.

        From here on new rows take the pages of those given up, and the log can always be copied.
        """
        with suppress(OSError):
            self._reserve.unlink(missing_ok=True)
        self.start_log_anew()
        pages = self.db.execute("PRAGMA page_count").fetchone()[0]
        self.db.execute(f"PRAGMA max_page_count={pages}")

    def start_log_anew(self) -> None:
        """Copy the log into the database, so that its blocks are used again instead of new ones."""
        try:
            self.db.execute("PRAGMA wal_checkpoint(RESTART)")
        except sqlite3.OperationalError as error:
            log.debug("the outbox's log cannot be copied: %s", error)

    def keep_reserve(self) -> None:
        """Hold back blocks again, where they were used up and there is room; then it may grow again."""
        if self._reserve.exists():
            return
        try:
            with self._reserve.open("wb") as file:
                file.write(bytes(RESERVE_BYTES))
                os.fsync(file.fileno())
        except OSError:
            # The disk is still full: the blocks taken so far are worth more to the database.
            with suppress(OSError):
                self._reserve.unlink(missing_ok=True)
        else:
            self.db.execute(f"PRAGMA max_page_count={_MAX_PAGES}")


class OutboxMemory(_Tables):
    """What stands in for the file while the disk takes nothing: the same tables, gone with the process."""

    durable = False
    is_new = False
    was_reset = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        create_tables(self.db)

    def hold_size(self) -> None:
        """There is no disk to fill."""

    def start_log_anew(self) -> None:
        """There is no log."""

    def keep_reserve(self) -> None:
        """There is nothing to hold back."""


def create_tables(db: sqlite3.Connection) -> None:
    """Make the present schema in an empty database."""
    for statement in _SCHEMA.split(";"):
        db.execute(statement)


def rollback(db: sqlite3.Connection) -> None:
    """End a transaction that failed; SQLite has ended some by itself."""
    if db.in_transaction:
        db.execute("ROLLBACK")


def unusable(path: Path, error: Exception) -> OutboxDiskError:
    """What to tell about an error of the outbox at ``path``."""
    if "locked" in str(error):
        return OutboxDiskError(
            f"The outbox {path} belongs to a station that is running.",
            "Stop the other station, or give this one its own data_dir.",
        )
    return OutboxDiskError(
        f"The outbox {path} cannot be used: {error}.", "Make its folder writable and the disk free."
    )


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file itself is at fault; an operational error is its disk's, or another process's."""
    operational = isinstance(error, sqlite3.OperationalError)
    return not operational or any(sign in str(error) for sign in _NOT_OURS)
