"""The queue on disk: what was taken in survives power cuts, and leaves on the broker's PUBACK.

One thread owns an :class:`Outbox` (see :mod:`edge.messaging.pump`). SQLite in WAL mode with
``synchronous=FULL``: when :meth:`Outbox.commit` returns, the rows are on the disk.

Bounded in rows and bytes. What has to go, goes in this order: the oldest results, then the oldest
events. Alarms are given up last, and only when the disk itself is full. Everything given up is
counted, and the counter is on disk too.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

from edge.errors import MessagingError
from edge.messaging.payloads import encode

log = logging.getLogger(__name__)

#: Bytes that a row takes beside its topic and payload; measured on full tables.
ROW_OVERHEAD = 48

#: The log is copied into the database when it has this many pages of 4096 bytes.
_LOG_PAGES = 256

#: Rows given up at one time on a full disk; more would need a longer log.
_GIVE_UP_ROWS = 500

_MAX_PAGES = 0xFFFFFFFE

#: Blocks held back beside the database. Making room in a database needs room itself: the log must
#: be copied into it first, so this is more than a log.
RESERVE_BYTES = 2 << 20

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE message(
    id INTEGER PRIMARY KEY AUTOINCREMENT, stream INTEGER NOT NULL, seq INTEGER NOT NULL,
    topic TEXT NOT NULL, payload BLOB NOT NULL, retain INTEGER NOT NULL, bytes INTEGER NOT NULL,
    expires REAL);
CREATE INDEX message_stream ON message(stream, id);
CREATE INDEX message_expires ON message(expires) WHERE expires IS NOT NULL;
CREATE TABLE retained(topic TEXT PRIMARY KEY, payload BLOB NOT NULL);
CREATE TABLE counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


class Stream(IntEnum):
    """What a message belongs to: its numbering, its order, and its worth (the lowest is kept longest)."""

    ALARM = 0
    EVENT = 1
    RESULT = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """A message on its way into the outbox.

    Attributes:
        fields: the payload's fields. ``seq`` among them is kept; without one the outbox numbers it.
        ttl_s: after this it is stale and not sent; None: never.
        retain: the broker keeps it, and the outbox republishes the latest after a reconnect.
    """

    stream: Stream
    topic: str
    fields: Mapping[str, Any]
    ttl_s: float | None = None
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A message on its way out."""

    id: int
    stream: Stream
    topic: str
    payload: bytes
    retain: bool


@dataclass(slots=True)
class Counts:
    """How much waits, and how much was given up since the outbox was made."""

    rows: dict[Stream, int] = field(default_factory=lambda: dict.fromkeys(Stream, 0))
    bytes: dict[Stream, int] = field(default_factory=lambda: dict.fromkeys(Stream, 0))
    dropped: dict[Stream, int] = field(default_factory=lambda: dict.fromkeys(Stream, 0))
    expired: int = 0

    @property
    def total_rows(self) -> int:
        """Messages of all streams."""
        return sum(self.rows.values())

    @property
    def total_bytes(self) -> int:
        """Bytes of all streams, as the limit counts them."""
        return sum(self.bytes.values())


class Outbox:
    """The queue. Not thread-safe: it belongs to the thread that opens it.

    Args:
        path: the database file; made when absent, with its folder.
        max_rows, max_bytes: bounds over all streams.
        clock: Unix time in seconds.

    Raises:
        MessagingError: the file cannot be written, or another process has it.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_rows: int = 200_000,
        max_bytes: int = 256_000_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._clock = clock
        self._taken = dict.fromkeys(Stream, 0)  # highest id handed out, per stream
        self.was_reset = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = self._open()
        except sqlite3.OperationalError as error:
            raise self._unusable(error) from error
        except sqlite3.DatabaseError:
            # The file is damaged. A station that cannot publish at all is worse than one that lost
            # its queue: the damaged file is kept for a look, and `was_reset` says what happened.
            aside = path.with_name(f"{path.name}.damaged-{int(clock())}")
            path.rename(aside)
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            self._db = self._open()
            self.was_reset = True
        except OSError as error:
            raise self._unusable(error) from error
        self._counts = self._load_counts()
        self.keep_reserve()

    def _unusable(self, error: Exception) -> MessagingError:
        if "locked" in str(error):
            return MessagingError(
                f"The outbox {self._path} belongs to a station that is running.",
                "Stop the other station, or give this one its own data_dir.",
            )
        return MessagingError(
            f"The outbox {self._path} cannot be used: {error}.", "Make its folder writable and the disk free."
        )

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
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")
            elif version != _SCHEMA_VERSION:
                raise MessagingError(
                    f"The outbox {self._path} was written by a newer version of this program.",
                    "Update the program, or move the file away to begin with an empty outbox.",
                )
            db.execute("COMMIT")
            if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("quick_check failed")
        except (sqlite3.Error, MessagingError):
            db.close()
            raise
        return db

    # -- taking in ---------------------------------------------------------------------------

    def commit(self, entries: Sequence[Entry] = (), acked: Collection[int] = ()) -> list[int]:
        """Take in entries and let go of acknowledged rows, in one durable step.

        Returns:
            The entries' sequence numbers; 0 for one that a full disk left no room for. Such an
            entry is counted as dropped.

        Raises:
            MessagingError: nothing could be written. The entries are counted as dropped, and the
                acknowledged rows are still there.
        """
        try:
            return self._commit(entries, acked)
        except sqlite3.OperationalError as error:
            if "full" in str(error) and entries:
                return self._commit_on_full_disk(entries, acked)
            for entry in entries:
                self._counts.dropped[entry.stream] += 1
            raise self._unusable(error) from error

    def _commit(self, entries: Sequence[Entry], acked: Collection[int]) -> list[int]:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        before = self._snapshot()
        try:
            if acked:
                self._delete(acked)
            seqs = [self._insert(entry) for entry in entries]
            self._make_room()
            self._save_counts()
            db.execute("COMMIT")
        except (sqlite3.Error, MessagingError):
            self._counts = before
            self._rollback()
            raise
        return seqs

    def _insert(self, entry: Entry) -> int:
        seq = entry.fields.get("seq")
        if seq is None:
            seq = self.last_seq(entry.stream) + 1
            payload = encode({"seq": seq, **entry.fields})
        else:
            payload = encode(entry.fields)
        self._set_counter(f"seq:{entry.stream.name}", max(seq, self.last_seq(entry.stream)))
        size = len(payload) + len(entry.topic) + ROW_OVERHEAD
        expires = None if entry.ttl_s is None else self._clock() + entry.ttl_s
        self._db.execute(
            "INSERT INTO message(stream, seq, topic, payload, retain, bytes, expires) VALUES (?,?,?,?,?,?,?)",
            (entry.stream, seq, entry.topic, payload, entry.retain, size, expires),
        )
        if entry.retain:
            self._db.execute("INSERT OR REPLACE INTO retained VALUES (?,?)", (entry.topic, payload))
        self._counts.rows[entry.stream] += 1
        self._counts.bytes[entry.stream] += size
        return int(seq)

    def _make_room(self) -> None:
        for stream in (Stream.RESULT, Stream.EVENT):
            rows = self._counts.total_rows - self._max_rows
            size = self._counts.total_bytes - self._max_bytes
            if rows <= 0 and size <= 0:
                return
            self._sacrifice(stream, rows, size)

    def _sacrifice(self, stream: Stream, rows: int, size: int) -> None:
        """Give up the oldest of a stream until so many rows and bytes are free; those under way last."""
        oldest_first = self._db.execute(
            "SELECT id, bytes FROM message WHERE stream=? ORDER BY id<=?, id", (stream, self._taken[stream])
        )
        doomed = []
        for row_id, row_bytes in oldest_first:
            if rows <= 0 and size <= 0:
                break
            doomed.append(row_id)
            rows -= 1
            size -= row_bytes
        oldest_first.close()
        self._delete(doomed)
        self._counts.dropped[stream] += len(doomed)

    def _delete(self, ids: Iterable[int]) -> None:
        for row_id in ids:
            found = self._db.execute("SELECT stream, bytes FROM message WHERE id=?", (row_id,)).fetchone()
            if found is not None:
                self._db.execute("DELETE FROM message WHERE id=?", (row_id,))
                self._counts.rows[Stream(found[0])] -= 1
                self._counts.bytes[Stream(found[0])] -= found[1]

    # -- when the disk is full ---------------------------------------------------------------

    def _commit_on_full_disk(self, entries: Sequence[Entry], acked: Collection[int]) -> list[int]:
        """Give up stored and new results, then events, then alarms, until the rest fits."""
        self._reserve.unlink(missing_ok=True)
        self._start_log_anew()
        # From here on the database keeps its size: new rows take the pages of those given up, and
        # the log can always be copied.
        pages = self._db.execute("PRAGMA page_count").fetchone()[0]
        self._db.execute(f"PRAGMA max_page_count={pages}")
        kept = list(entries)
        seqs: dict[int, int] = {}
        for stream in reversed(Stream):
            while kept and not seqs:
                try:
                    seqs = dict(zip(map(id, kept), self._commit(kept, acked), strict=True))
                except sqlite3.OperationalError:
                    if not self._give_up_some(stream):
                        break
            if seqs:
                break
            self._counts.dropped[stream] += sum(entry.stream == stream for entry in kept)
            kept = [entry for entry in kept if entry.stream != stream]
        return [seqs.get(id(entry), 0) for entry in entries]

    def _give_up_some(self, stream: Stream) -> bool:
        """Drop some of the oldest of a stream; False when it has nothing left or cannot be written."""
        rows = self._counts.rows[stream]
        if rows == 0:
            return False
        before = self._snapshot()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._sacrifice(stream, min(rows, _GIVE_UP_ROWS), 0)
            self._db.execute("COMMIT")
        except sqlite3.OperationalError:
            self._counts = before
            self._rollback()
            return False
        self._start_log_anew()
        return True

    def _start_log_anew(self) -> None:
        """Copy the log into the database, so that its blocks are used again instead of new ones."""
        try:
            self._db.execute("PRAGMA wal_checkpoint(RESTART)")
        except sqlite3.OperationalError as error:
            log.debug("the outbox's log cannot be copied: %s", error)

    @property
    def _reserve(self) -> Path:
        return self._path.with_name(self._path.name + ".reserve")

    def keep_reserve(self) -> None:
        """Hold back some blocks of the disk again, where they were used up and there is room."""
        if self._reserve.exists():
            return
        try:
            with self._reserve.open("wb") as file:
                file.write(bytes(RESERVE_BYTES))
                os.fsync(file.fileno())
        except OSError:
            # The disk is still full: the blocks taken so far are worth more to the database.
            self._reserve.unlink(missing_ok=True)
        else:
            self._db.execute(f"PRAGMA max_page_count={_MAX_PAGES}")

    # -- sending -----------------------------------------------------------------------------

    def take(self, limit: int, streams: Collection[Stream] = tuple(Stream)) -> list[Row]:
        """The next rows to send, alarms first, each stream in its order; each row once.

        They stay in the outbox until :meth:`commit` is told that they are acknowledged;
        :meth:`release` makes them be taken again.
        """
        rows: list[Row] = []
        for stream in sorted(streams):
            if self._counts.rows[stream] == 0 or len(rows) >= limit:
                continue
            found = self._db.execute(
                "SELECT id, topic, payload, retain FROM message"
                " WHERE stream=? AND id>? AND (expires IS NULL OR expires>?) ORDER BY id LIMIT ?",
                (stream, self._taken[stream], self._clock(), limit - len(rows)),
            ).fetchall()
            rows += [
                Row(row_id, stream, topic, payload, bool(retain)) for row_id, topic, payload, retain in found
            ]
            if found:
                self._taken[stream] = found[-1][0]
        return rows

    def release(self, row: Row | None = None) -> None:
        """Rows taken and not acknowledged are taken again: all, or those of a stream from ``row`` on."""
        if row is None:
            self._taken = dict.fromkeys(Stream, 0)
        else:
            self._taken[row.stream] = min(self._taken[row.stream], row.id - 1)

    def retained(self) -> list[tuple[str, bytes]]:
        """The latest payload of every retained topic."""
        return self._db.execute("SELECT topic, payload FROM retained ORDER BY topic").fetchall()

    def expire(self) -> int:
        """Drop what is stale; returns how many."""
        stale = self._db.execute("SELECT id FROM message WHERE expires<=?", (self._clock(),)).fetchall()
        if not stale:
            return 0
        before = self._snapshot()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._delete(row_id for (row_id,) in stale)
            self._counts.expired += len(stale)
            self._save_counts()
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self._counts = before
            self._rollback()
            raise self._unusable(error) from error
        return len(stale)

    # -- numbers -----------------------------------------------------------------------------

    def next_birth(self) -> int:
        """A number above every birth before; at least Unix time, so above those of a lost outbox too."""
        birth = max(self._counter("birth") + 1, int(self._clock()))
        try:
            self._set_counter("birth", birth)
        except sqlite3.OperationalError as error:
            if "full" not in str(error):
                raise self._unusable(error) from error
            # On a full disk the clock alone keeps births rising.
        return birth

    def last_seq(self, stream: Stream) -> int:
        """The highest sequence number ever taken in; 0 before the first."""
        return self._counter(f"seq:{stream.name}")

    def counts(self) -> Counts:
        """A copy of the counters."""
        return self._snapshot()

    def close(self) -> None:
        """Close the file. What waits in it stays."""
        self._db.close()

    def _counter(self, name: str) -> int:
        found = self._db.execute("SELECT value FROM counter WHERE name=?", (name,)).fetchone()
        return 0 if found is None else int(found[0])

    def _set_counter(self, name: str, value: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO counter VALUES (?,?)", (name, value))

    def _load_counts(self) -> Counts:
        counts = Counts(expired=self._counter("expired"))
        for stream, rows, size in self._db.execute(
            "SELECT stream, COUNT(*), SUM(bytes) FROM message GROUP BY stream"
        ):
            counts.rows[Stream(stream)] = rows
            counts.bytes[Stream(stream)] = size
        for stream in Stream:
            counts.dropped[stream] = self._counter(f"dropped:{stream.name}")
        return counts

    def _save_counts(self) -> None:
        for stream in Stream:
            if self._counts.dropped[stream]:
                self._set_counter(f"dropped:{stream.name}", self._counts.dropped[stream])
        if self._counts.expired:
            self._set_counter("expired", self._counts.expired)

    def _snapshot(self) -> Counts:
        c = self._counts
        return Counts(dict(c.rows), dict(c.bytes), dict(c.dropped), c.expired)

    def _rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
