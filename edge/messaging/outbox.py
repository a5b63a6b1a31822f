"""The queue on disk: what was taken in survives power cuts, and leaves on the broker's PUBACK.

One thread owns an :class:`Outbox` (see :mod:`edge.messaging.pump`). SQLite in WAL mode with
``synchronous=FULL``: when :meth:`Outbox.commit` returns, the rows are on the disk.

Bounded in rows and bytes. What has to go, goes in this order: the oldest results, then the oldest
events. Alarms are given up last, and only when the disk itself is full. Everything given up is
counted, and the counter is on disk too.

Numbers never go back. An outbox that begins anew, because its file was damaged or is gone, goes on
above what :mod:`edge.messaging.ledger` says was given; without a ledger, from Unix time.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from edge.errors import MessagingError
from edge.messaging.answers import Answers
from edge.messaging.commands import AnsweredCommand
from edge.messaging.ledger import Ledger
from edge.messaging.outbox_file import OutboxFile, OutboxMemory
from edge.messaging.payloads import encode
from edge.messaging.streams import OutboxCounts, OutboxEntry, OutboxRow, Stream

log = logging.getLogger(__name__)

#: Bytes that a row takes beside its topic and payload; measured on full tables.
ROW_OVERHEAD = 48

#: Rows given up at one time on a full disk; more would need a longer log.
_GIVE_UP_ROWS = 500

#: Answers to so many commands are kept, so that a repeat is not done again.
REMEMBERED_COMMANDS = 2000

#: Rows that an outbox in memory takes over from one whose disk died.
_ADOPTED_ROWS = 10_000

_BIRTH = "birth"


class Outbox:
    """The queue. Not thread-safe: it belongs to the thread that opens it.

    Args:
        path: the database file; made when absent, with its folder.
        max_rows, max_bytes: bounds over all streams.
        clock: seconds on a clock that goes on steadily, also across restarts: times to live count on it.
        wall: Unix time in seconds.
        in_memory: stand in for the file, which the disk does not take.

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
        wall: Callable[[], float] = time.time,
        in_memory: bool = False,
    ) -> None:
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._clock = clock
        self._wall = wall
        self._taken = dict.fromkeys(Stream, 0)  # highest id handed out, per stream
        self._adopted: list[int] = []  # rows that another outbox holds too
        self._file = OutboxMemory(path) if in_memory else OutboxFile(path)
        self._db = self._file.db
        try:
            self._ledger = Ledger(path.with_name(path.name + ".ledger"))
            self._counts = self._load_counts()
            self._last = {stream: self._counter(f"seq:{stream.name}") for stream in Stream}
            self._retained: dict[str, bytes] = dict(self._db.execute("SELECT topic, payload FROM retained"))
            self._answers = Answers(self._db, REMEMBERED_COMMANDS)
            self._birth = self._counter(_BIRTH)
            self._restore()
        except sqlite3.Error as error:
            self._file.close()
            raise self._file.unusable(error) from error

    @property
    def was_reset(self) -> bool:
        """The file was damaged, or was gone, and this one is new; a damaged one lies beside it."""
        return self._file.was_reset or (self._file.is_new and bool(self._ledger.marks))

    @property
    def durable(self) -> bool:
        """Whether what is taken in is on the disk."""
        return self._file.durable

    def _restore(self) -> None:
        """Go on above every number that may have been given, with what the broker keeps."""
        if self.was_reset:
            floor = 0 if self._ledger.marks else int(self._wall())
            for stream in Stream:
                self._last[stream] = max(self._last[stream], self._ledger.marks.get(stream.name, floor))
                self._set_counter(f"seq:{stream.name}", self._last[stream])
            self._birth = max(self._birth, self._ledger.marks.get(_BIRTH, 0))
            self._set_counter(_BIRTH, self._birth)
            for topic, text in self._ledger.retained.items():
                self._retain(topic, text.encode())
        # A ledger that was lost is written anew.
        for stream in Stream:
            self._ledger.cover(stream.name, self._last[stream])
        self._ledger.cover(_BIRTH, self._birth)
        for topic, payload in self._retained.items():
            self._ledger.keep(topic, payload)

    # -- taking in ---------------------------------------------------------------------------

    def commit(self, entries: Sequence[OutboxEntry] = (), acked: Collection[int] = ()) -> list[int]:
        """Take in entries and let go of acknowledged rows, in one durable step.

        Returns:
            The entries' sequence numbers; 0 for one that a full disk left no room for. Such an
            entry is counted as dropped.

        Raises:
            OutboxDiskError: the disk took nothing, and all is as it was before.
            MessagingError: an entry is too long for a payload, and none is taken in.
        """
        try:
            try:
                return self._commit(entries, acked)
            except sqlite3.Error as error:
                if "full" not in str(error):
                    raise
                return self._commit_on_full_disk(entries, acked)
        except sqlite3.Error as error:
            raise self._file.unusable(error) from error

    def _commit(self, entries: Sequence[OutboxEntry], acked: Collection[int]) -> list[int]:
        with self._transaction():
            if acked:
                self._delete(acked)
            seqs = [self._insert(entry) for entry in entries]
            self._make_room()
            self._save_counts()
        return seqs

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of the block's changes, to the file and to what is held in memory, or none."""
        before = self._snapshot(), dict(self._last), dict(self._retained)
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self._counts, self._last, self._retained = before
            self._file.rollback()
            raise

    def _insert(self, entry: OutboxEntry) -> int:
        seq = entry.fields.get("seq")
        if seq is None:
            seq = self._last[entry.stream] + 1
            payload = encode({"seq": seq, **entry.fields})
        else:
            payload = encode(entry.fields)
        self._ledger.cover(entry.stream.name, seq)
        self._last[entry.stream] = max(seq, self._last[entry.stream])
        self._set_counter(f"seq:{entry.stream.name}", self._last[entry.stream])
        size = len(payload) + len(entry.topic) + ROW_OVERHEAD
        expires = None if entry.ttl_s is None else self._clock() + entry.ttl_s
        self._store(entry.stream, seq, entry.topic, payload, entry.retain, size, expires)
        if entry.retain:
            self._ledger.keep(entry.topic, payload)
            self._retain(entry.topic, payload)
        return int(seq)

    def _store(
        self,
        stream: int,
        seq: int,
        topic: str,
        payload: bytes,
        retain: bool,
        size: int,
        expires: float | None,
    ) -> None:
        self._db.execute(
            "INSERT INTO message(stream, seq, topic, payload, retain, bytes, expires) VALUES (?,?,?,?,?,?,?)",
            (stream, seq, topic, payload, retain, size, expires),
        )
        self._counts.rows[Stream(stream)] += 1
        self._counts.bytes[Stream(stream)] += size

    def _retain(self, topic: str, payload: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO retained VALUES (?,?)", (topic, payload))
        self._retained[topic] = payload

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

    def _commit_on_full_disk(self, entries: Sequence[OutboxEntry], acked: Collection[int]) -> list[int]:
        """Give up stored and new results, then events, then alarms, until the rest fits."""
        self._file.hold_size()
        if not entries:
            return self._commit([], acked)
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
        try:
            with self._transaction():
                self._sacrifice(stream, min(rows, _GIVE_UP_ROWS), 0)
        except sqlite3.OperationalError:
            return False
        self._file.start_log_anew()
        return True

    def keep_reserve(self) -> None:
        """After a full disk: grow again as soon as there is room."""
        self._file.keep_reserve()

    # -- sending -----------------------------------------------------------------------------

    def take(self, limit: int, streams: Collection[Stream] = tuple(Stream)) -> list[OutboxRow]:
        """The next rows to send, alarms first, each stream in its order; each row once.

        They stay in the outbox until :meth:`commit` is told that they are acknowledged;
        :meth:`release` makes them be taken again.
        """
        rows: list[OutboxRow] = []
        for stream in sorted(streams):
            if self._counts.rows[stream] == 0 or len(rows) >= limit:
                continue
            found = self._db.execute(
                "SELECT id, topic, payload, retain FROM message"
                " WHERE stream=? AND id>? AND (expires IS NULL OR expires>?) ORDER BY id LIMIT ?",
                (stream, self._taken[stream], self._clock(), limit - len(rows)),
            ).fetchall()
            rows += [
                OutboxRow(row_id, stream, topic, payload, bool(retain))
                for row_id, topic, payload, retain in found
            ]
            if found:
                self._taken[stream] = found[-1][0]
        return rows

    def release(self, row: OutboxRow | None = None) -> None:
        """Rows taken and not acknowledged are taken again: all, or those of a stream from ``row`` on."""
        if row is None:
            self._taken = dict.fromkeys(Stream, 0)
        else:
            self._taken[row.stream] = min(self._taken[row.stream], row.id - 1)

    def retained(self) -> list[tuple[str, bytes]]:
        """The latest payload of every retained topic."""
        return sorted(self._retained.items())

    def expire(self) -> dict[Stream, int]:
        """Drop what is stale; returns how many of which stream.

        Raises:
            OutboxDiskError: the disk took nothing, and all is as it was before.
        """
        try:
            stale = self._db.execute(
                "SELECT id, stream FROM message WHERE expires<=?", (self._clock(),)
            ).fetchall()
            if stale:
                with self._transaction():
                    self._delete(row_id for row_id, _ in stale)
                    self._counts.expired += len(stale)
                    self._save_counts()
        except sqlite3.Error as error:
            raise self._file.unusable(error) from error
        return dict(Counter(Stream(stream) for _, stream in stale))

    # -- another outbox ------------------------------------------------------------------------

    def adopt(self, other: Outbox, acked: Collection[int] = ()) -> None:
        """Go on where another outbox stands: its numbers, its answers, and the rows that wait in it.

        An outbox in memory takes over from a file, of which it may not be able to read a row any
        more; a file then takes back from it.

        Args:
            acked: rows of the other one that the broker has.

        Raises:
            OutboxDiskError: the disk took nothing, and this outbox is as it was before.
        """
        rows = other._waiting_rows(acked)
        try:
            with self._transaction():
                self._delete(other._adopted)
                for _, *columns in rows:
                    self._store(*columns)
                for stream in Stream:
                    self._last[stream] = max(self._last[stream], other._last[stream])
                    self._set_counter(f"seq:{stream.name}", self._last[stream])
                    self._counts.dropped[stream] = other._counts.dropped[stream]
                self._counts.expired = other._counts.expired
                self._birth = max(self._birth, other._birth)
                self._set_counter(_BIRTH, self._birth)
                for topic, payload in other._retained.items():
                    self._retain(topic, payload)
                for answer in other._answers.items():
                    self._answers.write(*answer)
                self._save_counts()
        except sqlite3.Error as error:
            raise self._file.unusable(error) from error
        for answer in other._answers.items():
            self._answers.note(*answer)
        self._ledger.take_over(other._ledger)
        self._adopted = [row_id for row_id, *_ in rows] + list(acked)

    def _waiting_rows(self, acked: Collection[int]) -> list[tuple[Any, ...]]:
        """The rows that wait, in their order; of very many the newest, and none where none can be read."""
        try:
            newest = self._db.execute(
                "SELECT id, stream, seq, topic, payload, retain, bytes, expires FROM message"
                " ORDER BY stream, id DESC LIMIT ?",
                (_ADOPTED_ROWS,),
            ).fetchall()
        except sqlite3.Error as error:
            log.error("MQTT outbox: its waiting messages cannot be read: %s", error)
            return []
        done = set(acked)
        return sorted(row for row in newest if row[0] not in done)

    # -- commands ----------------------------------------------------------------------------

    def command_answer(self, command_id: str) -> AnsweredCommand | None:
        """What was answered to a command; None for one never seen."""
        return self._answers.recall(command_id)

    def remember_command(self, command_id: str, answered: AnsweredCommand) -> None:
        """Keep a command's answer, durably; the oldest of many are forgotten.

        Raises:
            MessagingError: it cannot be written, and so the command must not be done.
        """
        if not self.durable:
            raise MessagingError(
                "The station could not record on disk that this was done.", "Check the station's disk."
            )
        try:
            with self._transaction():
                self._answers.write(command_id, answered)
        except sqlite3.Error as error:
            raise self._file.unusable(error) from error
        self._answers.note(command_id, answered)

    # -- numbers -----------------------------------------------------------------------------

    def next_birth(self) -> int:
        """A number above every one before; at least Unix time, so above those of a lost outbox too."""
        self._birth = max(self._birth + 1, int(self._wall()))
        self._ledger.cover(_BIRTH, self._birth)
        with suppress(sqlite3.Error):  # where the disk does not take it, the clock keeps births rising
            self._set_counter(_BIRTH, self._birth)
        return self._birth

    def last_seq(self, stream: Stream) -> int:
        """The highest sequence number ever taken in; 0 before the first."""
        return self._last[stream]

    def begin_after(self, stream: Stream, seq: int) -> None:
        """In an outbox that has never heard of a stream: its numbers up to ``seq`` are taken as sent."""
        self._db.execute("INSERT OR IGNORE INTO counter VALUES (?,?)", (f"seq:{stream.name}", seq))
        self._last[stream] = self._counter(f"seq:{stream.name}")

    def counts(self) -> OutboxCounts:
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

    def _load_counts(self) -> OutboxCounts:
        counts = OutboxCounts(expired=self._counter("expired"))
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

    def _snapshot(self) -> OutboxCounts:
        c = self._counts
        return OutboxCounts(dict(c.rows), dict(c.bytes), dict(c.dropped), c.expired)
