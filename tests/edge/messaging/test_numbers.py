"""A PLC drops what is not numbered above what it has seen: so numbers never go back, whatever is lost."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.messaging import AlarmCode, EventCode, Publisher
from edge.messaging.ledger import BLOCK
from edge.messaging.outbox import Outbox
from edge.messaging.streams import Stream
from tests.edge.messaging.brokers import Mosquitto, Subscriber, inspection, wait_until
from tests.edge.messaging.test_outbox import entry

Make = Callable[..., Publisher]

#: Thousands of commits: what is asked is not how fast a disk takes them.
QUICK_DISK = "/dev/shm" if Path("/dev/shm").is_dir() else None


def damage(path: Path) -> None:
    path.write_bytes(b"this is no database" * 500)


def cut(path: Path) -> None:
    """What a power cut leaves on some file systems: the name, and nothing in it."""
    path.write_bytes(b"")


def gone(path: Path) -> None:
    path.unlink()


def of_another_program(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE message(text)")
        db.execute("PRAGMA user_version=2")


LOSSES = (damage, cut, gone, of_another_program)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("take in"), st.sampled_from(Stream), st.sampled_from([1, 7, BLOCK + 1])),
            st.tuples(st.just("lose"), st.sampled_from(LOSSES), st.just(0)),
            st.tuples(st.just("restart"), st.none(), st.just(0)),
            st.tuples(st.just("lose the ledger"), st.none(), st.just(0)),
        ),
        max_size=8,
    )
)
@settings(max_examples=30, deadline=None)
def test_numbers_rise_over_every_loss_of_the_outbox_or_of_its_ledger(
    steps: list[tuple[str, object, int]],
) -> None:
    """Both files at one time are another matter: then Unix time is above what a line can have counted to."""
    with tempfile.TemporaryDirectory(dir=QUICK_DISK) as folder:
        path = Path(folder) / "outbox.db"
        now = 1_700_000_000.0
        highest = dict.fromkeys(Stream, 0)
        births = [0]
        outbox = Outbox(path, wall=lambda: now)
        for what, which, count in steps:
            if what == "take in":
                assert isinstance(which, Stream)
                seqs = outbox.commit([entry(which)] * count)
                assert seqs == list(range(seqs[0], seqs[0] + count)) and seqs[0] > highest[which]
                highest[which] = seqs[-1]
                births.append(outbox.next_birth())
            else:
                outbox.close()
                if what == "lose":
                    assert callable(which)
                    which(path)
                    for suffix in ("-wal", "-shm"):
                        path.with_name(path.name + suffix).unlink(missing_ok=True)
                elif what == "lose the ledger":
                    path.with_name("outbox.db.ledger").unlink(missing_ok=True)
                outbox = Outbox(path, wall=lambda: now)
            assert all(outbox.last_seq(stream) >= highest[stream] for stream in Stream)
        outbox.close()
    assert births == sorted(set(births))


def test_a_ledger_that_cannot_be_read_costs_nothing_while_the_outbox_is_there(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = Outbox(path)
    assert outbox.commit([entry(Stream.ALARM)] * 8)[-1] == 8
    outbox.close()
    damage(tmp_path / "outbox.db.ledger")
    outbox = Outbox(path)
    standing = outbox.retained()
    outbox.close()
    damage(path)
    outbox = Outbox(path)
    assert outbox.retained() == standing != []
    assert outbox.commit([entry(Stream.ALARM)])[0] > 8, "it was written anew when the outbox opened"


@pytest.mark.parametrize("lose", LOSSES)
def test_a_plc_hears_of_the_reset_and_the_standing_alarms_stay(
    mosquitto: Mosquitto,
    subscriber: Subscriber,
    publisher: Make,
    tmp_path: Path,
    lose: Callable[[Path], None],
) -> None:
    station = publisher(mosquitto.settings())
    for code in (AlarmCode.CAMERA, AlarmCode.NG_SERIES):
        for active in (True, False):
            station.alarm(code, active=active, text="before")
    station.event(EventCode.STARTED)
    station.publish_inspections([inspection(seq) for seq in range(1, 9)])
    assert wait_until(lambda: len(subscriber.of("alarm")) == 4 and len(subscriber.of("result")) == 8)
    standing = subscriber.of("alarm")[-1]
    station.stop()
    lose(tmp_path / "data" / "outbox.db")

    again = publisher(mosquitto.settings())
    again.publish_inspections([inspection(again.last_result_seq() + 1)])
    assert wait_until(lambda: len(subscriber.seqs_without_repeats("alarm")) == 5), "dropped as a repeat"
    assert wait_until(lambda: len(subscriber.seqs_without_repeats("event")) == 2)
    assert wait_until(lambda: len(subscriber.seqs_without_repeats("result")) == 9)
    alarm = subscriber.of("alarm")[-1]
    assert alarm["code"] == AlarmCode.STORAGE and "damaged or missing" in alarm["text"]
    bit = 1 << (AlarmCode.STORAGE - 1)
    assert alarm["mask"] == standing["mask"] | bit and alarm["unacked"] == standing["unacked"] | bit
    assert subscriber.of("event")[-1]["code"] == EventCode.OUTBOX_RESET
    with Subscriber(mosquitto.port, client_id="late") as late:
        assert wait_until(lambda: late.of("alarm")) and late.of("alarm")[0]["mask"] == alarm["mask"]


def test_an_outbox_of_the_version_before_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    Outbox(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE command")
        db.execute("CREATE TABLE command(id TEXT PRIMARY KEY, number INTEGER NOT NULL, answer BLOB NOT NULL)")
        db.execute("INSERT INTO command VALUES ('a', 1, ?)", (b"{}",))
        db.execute("INSERT INTO counter VALUES ('seq:EVENT', 41)")
        db.execute("PRAGMA user_version=1")
        db.commit()
    outbox = Outbox(path)
    assert not outbox.was_reset
    assert outbox.commit([entry(Stream.EVENT)]) == [42]
    known = outbox.command_answer("a")
    assert known is not None and known.answer == b"{}" and known.asked == ""
    assert json.loads(outbox.take(1)[0].payload)["seq"] == 42
