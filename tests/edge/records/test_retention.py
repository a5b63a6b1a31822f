"""The history stays within its limits: images go before rows, old before new, a little at a time."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from edge.clock import DAY_S, StationClock, confirm_date
from edge.inspection import utc_timestamp
from edge.records import Entry, Records, RecordsSettings
from edge.records.database import open_for_writing, used_bytes
from edge.records.retention import GB, STEP, Retention
from edge.records.rows import ImageFiles, insert
from tests.edge.records.parts import MORNING, inspected, picture

NOW = datetime(2026, 11, 23, tzinfo=timezone.utc)
NO_LIMITS: dict[str, Any] = {
    "max_size_gb": None,
    "images_max_days": None,
    "rows_max_days": None,
    "min_free_gb": 0,
}


class Kept(NamedTuple):
    rows: list[int]
    images: list[int]


class Store:
    """Rows of given ages, each with an image file of ``image_bytes``."""

    def __init__(self, data_dir: Path, **limits: Any) -> None:
        self.data_dir = data_dir
        self.settings = RecordsSettings.model_validate(NO_LIMITS | limits)
        self.db = open_for_writing(data_dir / "records.sqlite")
        self.db.row_factory = sqlite3.Row
        self.retention = Retention(data_dir, self.settings, 0)

    def add(self, seq: int, age_days: float, image_bytes: int = 1000) -> None:
        name = f"images/2026-11-01/{seq}.jpg" if image_bytes else ""
        if image_bytes:
            (self.data_dir / name).parent.mkdir(parents=True, exist_ok=True)
            (self.data_dir / name).write_bytes(bytes(image_bytes))
        moment = utc_timestamp(NOW - timedelta(days=age_days))
        insert(self.db, inspected(seq, captured_at=moment), ImageFiles(name, size=image_bytes))
        self.retention.stored_bytes += image_bytes

    def forget(self) -> int:
        return self.retention.apply(self.db, NOW)

    def kept(self) -> Kept:
        """What the rows say; the files must say the same, and so must the running sum."""
        rows = self.db.execute("SELECT seq, image, image_bytes FROM inspections ORDER BY seq").fetchall()
        named = {row["image"] for row in rows if row["image"]}
        files = {path.relative_to(self.data_dir).as_posix() for path in self.data_dir.rglob("*.jpg")}
        assert named == files
        assert sum(row["image_bytes"] for row in rows) == self.retention.stored_bytes
        return Kept([row["seq"] for row in rows], [row["seq"] for row in rows if row["image"]])


def test_without_limits_nothing_is_forgotten(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(1, age_days=10_000)
    store.add(2, age_days=0)
    assert store.forget() == 0
    assert store.kept() == Kept([1, 2], [1, 2])


def test_an_old_image_goes_and_its_row_stays(tmp_path: Path) -> None:
    store = Store(tmp_path, images_max_days=90)
    for seq, age_days in ((1, 91), (2, 90.5), (3, 89.5), (4, 0)):
        store.add(seq, age_days)
    assert store.forget() == 2
    assert store.kept() == Kept([1, 2, 3, 4], [3, 4])
    assert store.forget() == 0


def test_an_old_row_goes_with_its_image(tmp_path: Path) -> None:
    store = Store(tmp_path, rows_max_days=730)
    store.add(1, age_days=731)
    store.add(2, age_days=729)
    store.add(3, age_days=1)
    store.forget()
    assert store.kept() == Kept([2, 3], [2, 3])


def test_over_size_the_oldest_images_go_until_it_fits(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seq in range(1, 11):
        store.add(seq, age_days=100 - seq, image_bytes=100_000)
    limit = 350_000 + used_bytes(store.db)
    store = Store(tmp_path, max_size_gb=limit / GB)
    store.retention.stored_bytes = 1_000_000
    assert store.forget() == 7
    assert store.kept() == Kept(list(range(1, 11)), [8, 9, 10])


def test_only_when_no_image_is_left_rows_go_for_size(tmp_path: Path) -> None:
    store = Store(tmp_path, max_size_gb=1000 / GB)
    for seq in range(1, 6):
        store.add(seq, age_days=100 - seq, image_bytes=1000 * (seq % 2))
    store.forget()
    assert store.kept() == Kept([5], [])


def test_the_highest_seq_is_never_forgotten(tmp_path: Path) -> None:
    store = Store(tmp_path, rows_max_days=1, images_max_days=1)
    store.add(7, age_days=400)
    store.add(8, age_days=500)  # the clock was wrong: the newest looks oldest
    store.forget()
    assert store.kept() == Kept([8], [])


def test_one_call_deletes_a_bounded_number_and_the_next_ones_go_on(tmp_path: Path) -> None:
    store = Store(tmp_path, images_max_days=1, rows_max_days=1)
    for seq in range(1, 2 * STEP + 11):
        store.add(seq, age_days=10)
    per_call = []
    while forgotten := store.forget():
        per_call.append(forgotten)
        store.kept()
    assert max(per_call) <= 2 * STEP
    assert store.kept() == Kept([2 * STEP + 10], [])


def test_a_nearly_full_disk_costs_images_but_no_row(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    store = Store(tmp_path, min_free_gb=10 * free / GB)
    store.add(1, age_days=3)
    store.add(2, age_days=2)
    store.forget()
    assert store.kept() == Kept([1, 2], [])
    assert not store.retention.room_for_images()
    assert store.forget() == 0


def test_a_crash_between_file_and_row_is_made_good_by_the_next_call(tmp_path: Path) -> None:
    store = Store(tmp_path, images_max_days=1)
    store.add(1, age_days=10)
    (tmp_path / "images/2026-11-01/1.jpg").unlink()
    store.forget()
    assert store.kept() == Kept([1], [])


def test_deleted_rows_give_their_place_back_to_the_disk(tmp_path: Path) -> None:
    store = Store(tmp_path, rows_max_days=1)
    for seq in range(1, STEP):
        insert(store.db, inspected(seq, captured_at=utc_timestamp(NOW - timedelta(days=9)), words="w" * 5000))
    pages = store.db.execute("PRAGMA page_count").fetchone()[0]
    store.forget()
    assert store.db.execute("PRAGMA page_count").fetchone()[0] < pages / 2


def test_empty_day_folders_go_with_their_last_image(tmp_path: Path) -> None:
    store = Store(tmp_path, images_max_days=1)
    store.add(1, age_days=10)
    store.forget()
    assert list((tmp_path / "images").iterdir()) == []


def test_an_age_beyond_the_calendar_is_no_limit(tmp_path: Path) -> None:
    store = Store(tmp_path, rows_max_days=1e7)
    store.add(1, age_days=10_000)
    store.add(2, age_days=0)
    assert store.forget() == 0


@pytest.mark.parametrize("batch", [1, 7])
def test_a_station_that_runs_for_long_stays_within_its_size(tmp_path: Path, batch: int) -> None:
    limits = RecordsSettings(keep_images="all", overlay=False, max_size_gb=600_000 / GB, min_free_gb=0)
    image = picture()
    with Records(tmp_path, limits) as records:
        for first in range(1, 50, batch):
            records.append_all([Entry(inspected(seq), image) for seq in range(first, first + batch)])
        while records.forget():
            pass
        stored = sum(path.stat().st_size for path in (tmp_path / "images").rglob("*.jpg"))
        newest = records.query(limit=1)[0]
        assert records.counters().total >= 49
        assert len(records.query(limit=1000)) == records.counters().total
        assert records.trouble == ""
    assert 300_000 < stored <= 600_000
    assert newest.image is not None
    assert newest.image.is_file()


@dataclass
class Dates:
    """A computer whose date is set by the test."""

    wall_s: float = NOW.timestamp()
    steady_s: float = 0.0

    def clock(self, folder: Path) -> StationClock:
        return StationClock(
            folder, wall=lambda: self.wall_s, steady=lambda: self.steady_s, boot=lambda: "one"
        )

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.wall_s, timezone.utc)


def test_after_a_jump_of_the_date_nothing_goes_for_its_age_until_a_person_confirms_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dates = Dates()
    store = Store(tmp_path, images_max_days=90, rows_max_days=730)
    store.retention = Retention(tmp_path, store.settings, 0, dates.clock(tmp_path))
    for seq, age_days in ((1, 800), (2, 100), (3, 1), (4, 0)):
        store.add(seq, age_days)
    assert store.retention.apply(store.db, dates.now) > 0 and store.retention.doubt == ""
    assert store.kept() == Kept([2, 3, 4], [3, 4])

    dates.wall_s += 740 * DAY_S
    assert store.retention.apply(store.db, dates.now) == 0
    assert "jumped by +740 days" in store.retention.doubt and "--confirm-date" in store.retention.doubt
    assert store.kept() == Kept([2, 3, 4], [3, 4])

    dates.wall_s -= 740 * DAY_S
    assert store.retention.apply(store.db, dates.now) == 0 and store.retention.doubt == ""

    dates.wall_s += 740 * DAY_S
    monkeypatch.setattr("edge.clock.time.time", lambda: dates.wall_s)
    confirm_date(tmp_path)
    assert store.retention.apply(store.db, dates.now) > 0 and store.retention.doubt == ""
    assert store.kept() == Kept([4], [])


def test_after_a_jump_size_and_free_space_go_on_to_count(tmp_path: Path) -> None:
    dates = Dates()
    store = Store(tmp_path, images_max_days=90, max_size_gb=1000 / GB)
    store.retention = Retention(tmp_path, store.settings, 0, dates.clock(tmp_path))
    for seq in range(1, 4):
        store.add(seq, age_days=100 - seq)
    dates.wall_s += 740 * DAY_S
    store.retention.apply(store.db, dates.now)
    assert store.retention.doubt and store.kept().images == []


def test_a_jump_that_makes_nothing_old_is_nobodys_concern(tmp_path: Path) -> None:
    """A new station whose computer learns the date after its first parts."""
    dates = Dates(wall_s=0.0)
    store = Store(tmp_path, images_max_days=90, rows_max_days=730)
    store.retention = Retention(tmp_path, store.settings, 0, dates.clock(tmp_path))
    dates.wall_s = NOW.timestamp()
    store.add(1, age_days=0)
    store.retention.apply(store.db, dates.now)
    assert store.retention.doubt == ""


def test_a_station_says_that_the_date_jumped_and_asks(tmp_path: Path) -> None:
    dates = Dates(wall_s=MORNING.timestamp())
    limits = RecordsSettings(images_max_days=1, min_free_gb=0)
    with Records(tmp_path, limits, dates.clock(tmp_path)) as records:
        records.append(inspected(1), picture())
        assert records.trouble == ""
        dates.wall_s = datetime.now(timezone.utc).timestamp() + 740 * DAY_S
        records.append(inspected(2), picture())
        assert "date has jumped" in records.trouble
        assert records.unrecorded.inspections == 0 and len(records.query()) == 2
