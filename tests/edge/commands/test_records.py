"""The history as people ask for it: filtered, as JSON, as CSV."""

from __future__ import annotations

import csv
import json
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import click
import pytest

from edge.clock import DAY_S, StationClock
from edge.commands.records import Moment
from edge.inspection import Inspection, Region, Verdict, utc_timestamp
from edge.records import Records, RecordsSettings
from tests.edge.commands.conftest import Command


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Thirty inspections of one product and one of another, an hour apart."""
    now = datetime.now(timezone.utc)
    with Records(tmp_path, RecordsSettings(min_free_gb=0)) as records:
        for seq in range(1, 32):
            verdict = (Verdict.OK, Verdict.NG, Verdict.ERROR)[seq % 3]
            score = None if verdict is Verdict.ERROR else seq / 10
            records.append(
                Inspection(
                    id=f"id-{seq:02}",
                    seq=seq,
                    station="s",
                    product="ring" if seq == 31 else "plate",
                    part_id=f"part, {seq}",
                    camera="c",
                    captured_at=utc_timestamp(now - timedelta(hours=31 - seq, minutes=1)),
                    verdict=verdict,
                    score=score,
                    location="top left" if verdict is Verdict.NG else "",
                    regions=(Region(1, 2, 3, 4, 5, 0.9),) if verdict is Verdict.NG else (),
                    error="damaged" if verdict is Verdict.ERROR else "",
                    latency_ms={} if score is None else {"total": 10.0 * seq},
                )
            )
    return tmp_path


@pytest.mark.parametrize(
    ("options", "seqs"),
    [
        (["--limit", "3"], [31, 30, 29]),
        (["--product", "ring"], [31]),
        (["--verdict", "ng", "--limit", "2"], [31, 28]),
        (["--since", "2h"], [31, 30]),
        (["--until", "29h", "--limit", "9"], [2, 1]),
        (["--product", "nobody"], []),
    ],
)
def test_filters(command: Command, history: Path, options: list[str], seqs: list[int]) -> None:
    done = command("records", "--data-dir", history, "--json", *options)
    assert [json.loads(line)["seq"] for line in done.out.splitlines()] == seqs


def test_the_table_shows_the_newest_and_the_counters_all(command: Command, history: Path) -> None:
    lines = command("records", "--data-dir", history).out.splitlines()
    assert len(lines) == 1 + 20 + 1
    assert lines[1].startswith("31 ")
    assert lines[-1].startswith("ever: 31 inspections: 10 OK, 11 NG, 10 errors; 10 / ")


def test_csv_holds_all_of_them_and_survives_commas(command: Command, history: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    assert command("records", "--data-dir", history, "--export", target).code == 0
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 31
    assert rows[0]["part_id"] == "part, 31"
    assert json.loads(rows[0]["regions"])[0]["peak"] == 0.9
    assert not list(tmp_path.glob(".*.tmp"))


def test_csv_that_cannot_be_written_says_so(command: Command, history: Path) -> None:
    done = command("records", "--data-dir", history, "--export", history / "no-folder" / "out.csv")
    assert done.code == 1
    assert "cannot be written" in done.err


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-04T13:30:00Z", datetime(2026, 5, 4, 13, 30, tzinfo=timezone.utc)),
        ("2026-05-04T13:30+02:00", datetime(2026, 5, 4, 11, 30, tzinfo=timezone.utc)),
        ("2026-05-04", datetime(2026, 5, 4).astimezone(timezone.utc)),  # local midnight
    ],
)
def test_moments(text: str, moment: datetime) -> None:
    assert Moment().convert(text, None, None) == moment


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "3w"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Moment().convert(text, None, None)


def test_a_person_confirms_the_date_for_a_station_that_asks(command: Command, history: Path) -> None:
    done = command("records", "--confirm-date", "--data-dir", history)
    assert done.code == 0
    assert f"{datetime.now(timezone.utc).date()} is confirmed" in done.out
    late = time.time() - 740 * DAY_S  # where the station's clock stood before the date jumped
    (history / "clock.json").write_text(
        json.dumps({"boot": "", "steady_s": 0, "station_s": late, "believed_ahead_s": 0})
    )
    assert StationClock(history).jump_s() == 0
    assert not (history / "clock.confirmed").exists()
