"""The history answers by product, verdict and time, the newest first, also while it is written."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from edge.errors import RecordsError
from edge.inspection import Verdict
from edge.records import Entry, History, Records, RecordsSettings
from tests.edge.records.parts import MORNING, inspected


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with Records(tmp_path, RecordsSettings(min_free_gb=0)) as records:
        records.append_all(
            [
                Entry(inspected(1, "ok")),
                Entry(inspected(2, "ng", review=True)),
                Entry(inspected(3, "error", product="cap")),
                Entry(inspected(4, "ok", product="cap")),
            ]
        )
        yield History(tmp_path)


@pytest.mark.parametrize(
    ("question", "seqs"),
    [
        ({}, [4, 3, 2, 1]),
        ({"product": "cap"}, [4, 3]),
        ({"product": "CAP' OR 1"}, []),
        ({"verdict": Verdict.OK}, [4, 1]),
        ({"review": True}, [2]),
        ({"review": False}, [4, 3, 1]),
        ({"since": MORNING + timedelta(seconds=3)}, [4, 3]),
        ({"until": MORNING + timedelta(seconds=3)}, [2, 1]),
        # The same moment told in another zone.
        ({"since": (MORNING + timedelta(seconds=3)).astimezone(timezone(timedelta(hours=9)))}, [4, 3]),
        ({"limit": 1}, [4]),
        ({"limit": 0}, []),
        ({"product": "bottle", "verdict": Verdict.NG, "since": MORNING, "limit": 5}, [2]),
    ],
)
def test_a_question_is_answered_newest_first(
    history: History, question: dict[str, Any], seqs: list[int]
) -> None:
    assert [record.inspection.seq for record in history.query(**question)] == seqs


def test_the_last_moment_asks_for_the_next_page(history: History) -> None:
    page = history.query(limit=2)
    last = datetime.fromisoformat(page[-1].inspection.captured_at.replace("Z", "+00:00"))
    assert [record.inspection.seq for record in history.query(until=last, limit=2)] == [2, 1]


def test_an_unknown_id_is_none(history: History) -> None:
    assert history.get("01UNKNOWN") is None


def test_where_there_is_no_history_the_error_says_so_and_none_is_made(tmp_path: Path) -> None:
    empty = History(tmp_path / "elsewhere")
    for ask in (empty.query, empty.counters, empty.last_seq, empty.verify):
        with pytest.raises(RecordsError, match="There is no history of inspections at"):
            ask()
    assert not (tmp_path / "elsewhere").exists()


def test_readers_and_the_writer_do_not_hold_each_other_up(tmp_path: Path) -> None:
    seen: list[list[int]] = [[], []]
    with Records(tmp_path, RecordsSettings(min_free_gb=0)) as records:
        done = threading.Event()

        def read(told: list[int]) -> None:
            while not done.is_set():
                told.append(len(History(tmp_path).query(limit=1000)))

        readers = [threading.Thread(target=read, args=(told,)) for told in seen]
        for reader in readers:
            reader.start()
        for seq in range(1, 101):
            records.append(inspected(seq, "ok"))
        done.set()
        for reader in readers:
            reader.join()
        assert records.last_seq() == 100
    for told in seen:
        assert told, "it came to read"
        assert told == sorted(told), "what was there once is not taken back"
