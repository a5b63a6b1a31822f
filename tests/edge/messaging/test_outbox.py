from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.clock import DAY_S, StationClock
from edge.errors import MessagingError
from edge.messaging.outbox import Outbox
from edge.messaging.streams import OutboxEntry, OutboxRow, Stream


def entry(
    stream: Stream = Stream.RESULT, text: str = "x", ttl_s: float | None = None, **fields: object
) -> OutboxEntry:
    topic = f"plant/a/cell-3/{stream.name.lower()}"
    return OutboxEntry(stream, topic, {"text": text, **fields}, ttl_s, retain=stream is Stream.ALARM)


def texts(rows: list[OutboxRow]) -> list[str]:
    return [json.loads(row.payload)["text"] for row in rows]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def test_what_was_taken_in_survives_a_restart_in_order(path: Path) -> None:
    outbox = Outbox(path)
    outbox.commit([entry(text=str(n)) for n in range(5)])
    outbox.close()
    assert texts(Outbox(path).take(10)) == ["0", "1", "2", "3", "4"]


def test_rows_leave_on_their_acknowledgment_alone(path: Path) -> None:
    outbox = Outbox(path)
    outbox.commit([entry(text=str(n)) for n in range(3)])
    first, _, _ = outbox.take(3)
    assert outbox.take(3) == []  # each once
    outbox.commit(acked=[first.id])
    outbox.release()
    assert texts(outbox.take(3)) == ["1", "2"]
    assert outbox.counts().total_rows == 2


def test_every_stream_is_numbered_without_gaps_across_restarts(path: Path) -> None:
    outbox = Outbox(path)
    assert outbox.commit([entry(Stream.EVENT), entry(Stream.ALARM), entry(Stream.EVENT)]) == [1, 1, 2]
    outbox.close()
    outbox = Outbox(path)
    assert outbox.commit([entry(Stream.EVENT)]) == [3]
    outbox.commit(acked=[row.id for row in outbox.take(10)])
    assert outbox.commit([entry(Stream.EVENT)]) == [4]  # also when nothing waits any more


def test_a_given_number_is_kept_and_remembered(path: Path) -> None:
    outbox = Outbox(path)
    assert outbox.commit([entry(seq=41), entry(seq=42)]) == [41, 42]
    assert outbox.last_seq(Stream.RESULT) == 42
    assert [json.loads(row.payload)["seq"] for row in outbox.take(5)] == [41, 42]


def test_alarms_are_sent_before_events_and_these_before_results(path: Path) -> None:
    outbox = Outbox(path)
    outbox.commit([entry(Stream.RESULT, "r"), entry(Stream.EVENT, "e"), entry(Stream.ALARM, "a")])
    assert texts(outbox.take(2)) == ["a", "e"]
    assert texts(outbox.take(2)) == ["r"]


def test_results_go_before_events_and_alarms_stay(path: Path) -> None:
    outbox = Outbox(path, max_rows=4)
    outbox.commit([entry(Stream.ALARM, "a1"), entry(Stream.EVENT, "e1"), entry(Stream.RESULT, "r1")])
    outbox.commit([entry(Stream.RESULT, "r2"), entry(Stream.EVENT, "e2")])
    assert texts(outbox.take(10)) == ["a1", "e1", "e2", "r2"]
    outbox.commit([entry(Stream.EVENT, f"e{n}") for n in range(3, 6)])
    outbox.commit([entry(Stream.ALARM, f"a{n}") for n in range(2, 8)])
    outbox.release()
    assert texts(outbox.take(20)) == [f"a{n}" for n in range(1, 8)]
    dropped = outbox.counts().dropped
    assert dropped == {Stream.RESULT: 2, Stream.EVENT: 5, Stream.ALARM: 0}
    outbox.close()
    assert Outbox(path).counts().dropped == dropped


def test_the_bound_in_bytes_holds_on_the_disk_too(path: Path) -> None:
    bound = 3_000_000
    outbox = Outbox(path, max_bytes=bound)
    for _ in range(40):
        outbox.commit([entry(text="x" * 400) for _ in range(300)])
    assert outbox.counts().total_bytes <= bound
    assert path.stat().st_size < 1.5 * bound
    assert outbox.counts().dropped[Stream.RESULT] == 12_000 - outbox.counts().total_rows


def test_messages_under_way_are_given_up_after_those_that_wait(path: Path) -> None:
    outbox = Outbox(path, max_rows=3)
    outbox.commit([entry(text=str(n)) for n in range(3)])
    assert texts(outbox.take(1)) == ["0"]
    outbox.commit([entry(text="3")])
    outbox.release()
    assert texts(outbox.take(5)) == ["0", "2", "3"]


def test_what_is_stale_is_not_sent_and_counted(path: Path) -> None:
    now = 1000.0
    outbox = Outbox(path, clock=lambda: now)
    outbox.commit([entry(text="old", ttl_s=60), entry(text="new", ttl_s=600), entry(text="ever")])
    now += 60
    assert texts(outbox.take(5)) == ["new", "ever"]
    assert outbox.expire() == {Stream.RESULT: 1}
    assert outbox.counts().expired == 1 and outbox.counts().total_rows == 2


def test_the_latest_of_a_retained_topic_is_kept_after_it_was_delivered(path: Path) -> None:
    outbox = Outbox(path)
    outbox.commit([entry(Stream.ALARM, "came"), entry(Stream.ALARM, "went")])
    outbox.commit(acked=[row.id for row in outbox.take(5)])
    ((topic, payload),) = outbox.retained()
    assert topic.endswith("/alarm") and json.loads(payload)["text"] == "went"


def test_births_rise_also_when_the_outbox_is_lost_or_the_clock_goes_back(path: Path, tmp_path: Path) -> None:
    now = 5000.0
    outbox = Outbox(path, wall=lambda: now)
    first, second = outbox.next_birth(), outbox.next_birth()
    outbox.close()
    now -= 3000
    outbox = Outbox(path, wall=lambda: now)
    third = outbox.next_birth()
    assert first < second < third
    lost = Outbox(tmp_path / "new.db", wall=lambda: 6000.0)
    assert lost.next_birth() > third


def test_a_refused_row_is_taken_again_with_all_after_it(path: Path) -> None:
    outbox = Outbox(path)
    outbox.commit([entry(text=str(n)) for n in range(4)])
    rows = outbox.take(3)
    outbox.release(rows[1])
    assert texts(outbox.take(5)) == ["1", "2", "3"]


def test_two_stations_cannot_share_an_outbox(path: Path) -> None:
    outbox = Outbox(path)
    code = f"from pathlib import Path; from edge.messaging.outbox import Outbox; Outbox(Path({str(path)!r}))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "belongs to a station that is running" in other.stderr
    outbox.close()


def test_a_damaged_file_is_set_aside_and_said_so(path: Path) -> None:
    path.write_bytes(b"this is no database" * 500)
    outbox = Outbox(path)
    assert outbox.was_reset
    assert outbox.commit([entry()])[0] >= time.time() - 60, "nothing says what was given: from Unix time"
    assert [file for file in path.parent.iterdir() if ".damaged-" in file.name]


def test_a_newer_file_is_refused_and_left_alone(path: Path) -> None:
    Outbox(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(MessagingError, match="newer version"):
        Outbox(path)
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (99,)
    db.close()


def test_a_folder_that_cannot_be_made_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MessagingError, match="cannot be used") as refusal:
        Outbox(tmp_path / "file" / "outbox.db")
    assert refusal.value.remedy


def test_no_step_of_the_wall_clock_makes_a_message_stale(path: Path) -> None:
    """A computer without a clock of its own, before and after the network tells it the time."""
    wall, steady = 1_600_000_000.0, 50.0
    clock = StationClock(path.parent, wall=lambda: wall, steady=lambda: steady, boot=lambda: "boot")
    outbox = Outbox(path, clock=clock.now, wall=lambda: wall)
    outbox.commit([entry(text=str(n), ttl_s=7 * DAY_S) for n in range(100)])
    wall += 30 * DAY_S
    assert outbox.expire() == {} and len(outbox.take(200)) == 100
    clock.keep(at_once=True)
    outbox.close()
    clock = StationClock(path.parent, wall=lambda: wall, steady=lambda: 3.0, boot=lambda: "next boot")
    outbox = Outbox(path, clock=clock.now, wall=lambda: wall)
    assert outbox.expire() == {} and len(outbox.take(200)) == 100
    outbox.close()


class OutboxMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order: nothing lost, nothing twice, order and numbers kept."""

    @initialize(tmp=st.integers(0, 2**31), limit=st.integers(3, 40))
    def begin(self, tmp: int, limit: int) -> None:
        self.path = Path(os.environ.get("TMPDIR", "/tmp")) / f"outbox-machine-{os.getpid()}-{tmp}.db"
        self._remove()
        self.limit = limit
        self.now = 0.0
        self.waiting: dict[Stream, list[tuple[int, float]]] = {stream: [] for stream in Stream}
        self.under_way: dict[int, tuple[Stream, int]] = {}
        self.sent_up_to = dict.fromkeys(Stream, 0)
        self.last = dict.fromkeys(Stream, 0)
        self.open()

    def open(self) -> None:
        self.outbox = Outbox(self.path, max_rows=self.limit, clock=lambda: self.now)

    @rule(streams=st.lists(st.sampled_from(Stream), max_size=6), ttl=st.sampled_from([5.0, 50.0, None]))
    def take_in(self, streams: list[Stream], ttl: float | None) -> None:
        seqs = self.outbox.commit([entry(stream, ttl_s=ttl) for stream in streams])
        for stream, seq in zip(streams, seqs, strict=True):
            self.last[stream] += 1
            assert seq == self.last[stream]  # no gap, ever
            self.waiting[stream].append((seq, float("inf") if ttl is None else self.now + ttl))
        excess = sum(map(len, self.waiting.values())) - self.limit
        for stream in (Stream.RESULT, Stream.EVENT):
            under_way = {seq for way_stream, seq in self.under_way.values() if way_stream is stream}
            order = sorted(self.waiting[stream], key=lambda item: (item[0] in under_way, item[0]))
            for item in order[: max(0, excess)]:
                self.waiting[stream].remove(item)
                excess -= 1

    @rule(limit=st.integers(0, 8))
    def send(self, limit: int) -> None:
        rows = self.outbox.take(limit)
        expected = [
            (stream, seq)
            for stream in Stream
            for seq, expires in self.waiting[stream]
            if seq > self.sent_up_to[stream] and expires > self.now
        ][:limit]
        assert [(row.stream, json.loads(row.payload)["seq"]) for row in rows] == expected
        for row, (stream, seq) in zip(rows, expected, strict=True):
            self.under_way[row.id] = (stream, seq)
            self.sent_up_to[stream] = seq

    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        ids = (
            data.draw(st.lists(st.sampled_from(sorted(self.under_way)), unique=True))
            if self.under_way
            else []
        )
        self.outbox.commit(acked=ids)
        for row_id in ids:
            stream, seq = self.under_way.pop(row_id)
            self.waiting[stream] = [item for item in self.waiting[stream] if item[0] != seq]

    @rule()
    def lose_the_connection(self) -> None:
        self.outbox.release()
        self.under_way.clear()
        self.sent_up_to = dict.fromkeys(Stream, 0)

    @rule()
    def restart(self) -> None:
        self.outbox.close()
        self.open()
        self.under_way.clear()
        self.sent_up_to = dict.fromkeys(Stream, 0)

    @rule(seconds=st.sampled_from([1.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.outbox.expire()
        for stream in Stream:
            self.waiting[stream] = [item for item in self.waiting[stream] if item[1] > self.now]

    @invariant()
    def counts_are_right(self) -> None:
        if hasattr(self, "outbox"):
            counts = self.outbox.counts()
            assert counts.rows == {stream: len(items) for stream, items in self.waiting.items()}
            assert counts.total_rows <= max(self.limit, counts.rows[Stream.ALARM])

    def teardown(self) -> None:
        if hasattr(self, "outbox"):
            self.outbox.close()
            self._remove()

    def _remove(self) -> None:
        for suffix in ("", "-wal", ".reserve", ".ledger"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
