"""The queue on disk: what was taken in survives power cuts, and leaves on the broker's PUBACK.

One thread owns an :class:`Outbox` (see :mod:`edge.messaging.pump`). SQLite in WAL mode with
``synchronous=FULL``: when :meth:`Outbox.commit` returns, the rows are on the disk.

Bounded in rows and bytes. What has to go, goes in this order: the oldest results, then the oldest
events. Alarms are given up last, and only when the disk itself is full. Everything given up is
counted, and the counter is on disk too.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from edge.errors import MessagingError
from edge.messaging.outbox_file import OutboxFile
from edge.messaging.payloads import encode
from edge.messaging.streams import Counts, Entry, Row, Stream

#: Bytes that a row takes beside its topic and payload; measured on full tables.
ROW_OVERHEAD = 48

#: Rows given up at one time on a full disk; more would need a longer log.
_GIVE_UP_ROWS = 500

#: Answers to so many commands are kept, so that a repeat is not done again.
REMEMBERED_COMMANDS = 2000


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
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._clock = clock
        self._taken = dict.fromkeys(Stream, 0)  # highest id handed out, per stream
        self._file = OutboxFile(path)
        self._db = self._file.db
        self._counts = self._load_counts()

    @property
    def was_reset(self) -> bool:
        """The file was damaged and this one is new; the damaged one lies beside it."""
        return self._file.was_reset

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
        except sqlite3.Error as error:
            if "full" in str(error):
                return self._commit_on_full_disk(entries, acked)
            for entry in entries:
                self._counts.dropped[entry.stream] += 1
            raise self._file.unusable(error) from error

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
            self._file.rollback()
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
        self._file.hold_size()
        if not entries:
            try:
                return self._commit([], acked)
            except sqlite3.OperationalError as error:
                raise self._file.unusable(error) from error
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
            self._file.rollback()
            return False
        self._file.start_log_anew()
        return True

    def keep_reserve(self) -> None:
        """After a full disk: grow again as soon as there is room."""
        self._file.keep_reserve()

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
            self._file.rollback()
            raise self._file.unusable(error) from error
        return len(stale)

    # -- commands ----------------------------------------------------------------------------

    def command_answer(self, command_id: str) -> bytes | None:
        """What was answered to a command; None for one never seen."""
        found = self._db.execute("SELECT answer FROM command WHERE id=?", (command_id,)).fetchone()
        return None if found is None else bytes(found[0])

    def remember_command(self, command_id: str, answer: bytes) -> None:
        """Keep a command's answer, durably; the oldest of many are forgotten.

        Raises:
            MessagingError: it cannot be written, and so the command must not be done.
        """
        before = self._snapshot()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            number = self._counter("command") + 1
            self._set_counter("command", number)
            self._db.execute("INSERT OR REPLACE INTO command VALUES (?,?,?)", (command_id, number, answer))
            self._db.execute("DELETE FROM command WHERE number<=?", (number - REMEMBERED_COMMANDS,))
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._counts = before
            self._file.rollback()
            raise self._file.unusable(error) from error

    # -- numbers -----------------------------------------------------------------------------

    def next_birth(self) -> int:
        """A number above every one before; at least Unix time, so above those of a lost outbox too."""
        birth = max(self._counter("birth") + 1, int(self._clock()))
        try:
            self._set_counter("birth", birth)
        except sqlite3.OperationalError as error:
            if "full" not in str(error):
                raise self._file.unusable(error) from error
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
        self._file.close()

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
