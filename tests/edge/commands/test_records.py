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
from edge.commands.records import TimeType
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
        (["--product", "ring", "--verdict", "error"], []),
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


def test_csv_holds_no_formulas(command: Command, tmp_path: Path) -> None:
    names = ["=HYPERLINK(0)", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "part-1", "\udcff.png"]
    with Records(tmp_path / "data", RecordsSettings(min_free_gb=0)) as records:
        for seq, name in enumerate(names, start=1):
            records.append(
                Inspection(str(seq), seq, "s", "p", name, "c", utc_timestamp(), Verdict.OK, score=-0.25)
            )
    target = tmp_path / "out.csv"
    assert command("records", "--data-dir", tmp_path / "data", "--export", target).code == 0
    with target.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    written = {row["seq"]: row for row in rows}
    for seq, name in enumerate(names[:6], start=1):
        assert written[str(seq)]["part_id"] == f"'{name}"
    assert written["7"]["part_id"] == "part-1"
    assert {row["score"] for row in rows} == {"-0.25"}


def test_a_parts_name_forges_no_row(command: Command, tmp_path: Path) -> None:
    with Records(tmp_path, RecordsSettings(min_free_gb=0)) as records:
        name = "part\n99  2026-01-02T03:04:05.678Z  p  part-99  OK"
        records.append(Inspection("1", 1, "s", "p", name, "c", utc_timestamp(), Verdict.NG, score=1.0))
    assert len(command("records", "--data-dir", tmp_path).out.splitlines()) == 1 + 1 + 1


def test_csv_that_cannot_be_written_says_so(command: Command, history: Path) -> None:
    done = command("records", "--data-dir", history, "--export", history / "no-folder" / "out.csv")
    assert done.code == 1
    assert "cannot be written" in done.err


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-04T13:30:00Z", datetime(2026, 5, 4, 13, 30, tzinfo=timezone.utc)),
        ("2026-05-04T13:30+02:00", datetime(2026, 5, 4, 11, 30, tzinfo=timezone.utc)),
        ("2026-05-04T13:30 UTC", datetime(2026, 5, 4, 13, 30, tzinfo=timezone.utc)),
        ("2026-05-04", datetime(2026, 5, 4, tzinfo=timezone.utc)),  # as the table shows it
        ("2026-05-04 13:30", datetime(2026, 5, 4, 13, 30, tzinfo=timezone.utc)),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_a_moment_means_the_same_wherever_the_station_stands(
    text: str, moment: datetime, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert TimeType().convert(text, None, None) == moment
    finally:
        monkeypatch.undo()
        time.tzset()


def test_what_the_table_shows_can_be_asked_for(command: Command, history: Path) -> None:
    lines = command("records", "--data-dir", history, "--limit", "3").out.splitlines()
    assert "CAPTURED (UTC)" in lines[0]
    shown = lines[3].split()[1]
    rows = command("records", "--data-dir", history, "--since", shown).out.splitlines()[1:-1]
    assert [row.split()[0] for row in rows] == ["31", "30", "29"]
    rows = command("records", "--data-dir", history, "--since", shown.rstrip("Z")).out.splitlines()[1:-1]
    assert [row.split()[0] for row in rows] == ["31", "30", "29"]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_product_that_nobody_knows_is_an_error(command: Command, history: Path, form: list[str]) -> None:
    done = command("records", "--data-dir", history, "--product", "plat", *form)
    assert (done.code, done.out) == (1, "")
    assert "'plat'" in done.err and "Did you mean 'plate'?" in done.err and "ring" in done.err


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_nothing_that_fits_is_said(command: Command, history: Path, form: list[str]) -> None:
    done = command("records", "--data-dir", history, "--product", "ring", "--verdict", "error", *form)
    assert (done.code, done.err) == (0, "No inspection matches.\n")


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "3w", "9999999999999d", "0001-01-01T00:00+23:59"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        TimeType().convert(text, None, None)


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
