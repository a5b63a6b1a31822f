"""What the history forgets, and when: by age, by size, and when the disk runs out.

The rule, oldest first:

1. an image goes when it is older than ``images_max_days``, while images and database together are
   larger than ``max_size_gb``, or while the disk has less than ``min_free_gb`` free;
2. a row goes (with its image) when it is older than ``rows_max_days``, or when the history is larger
   than ``max_size_gb`` and no image is left to delete;
3. the row with the highest ``seq`` stays whatever its age, so that no number is given twice.

Ages are differences of dates, and a date may jump (a computer without a battery, before the network
tells it the time). After a jump nothing goes for its age until a person confirms the date; size and
free space go on to count, oldest first.

One call deletes a bounded number of images and rows, so that the writer never stalls; what is left
over is deleted by the next calls.
"""

from __future__ import annotations

import shutil
import sqlite3
from datetime import datetime, timedelta, timezone
from pathlib import Path

from edge.clock import DAY_S, StationClock
from edge.inspection import utc_timestamp
from edge.records.database import transaction, used_bytes
from edge.records.images import remove
from edge.records.rows import image_names
from edge.records.settings import RecordsSettings

GB = 1_000_000_000
#: Images and rows that one call may delete: some tens of milliseconds on a slow disk.
STEP = 64
_VACUUM_PAGES = 256
_DOUBT = (
    "The date has jumped by {days:+.0f} days and is {now:%Y-%m-%d} now: nothing is deleted for its age. "
    "Look at the date, then: anomalygpt-edge records --confirm-date"
)


class Retention:
    """Keeps the history within its settings.

    Args:
        data_dir: the folder that image paths are relative to.
        settings: the limits.
        stored_bytes: bytes of all images that the rows name.
        clock: says whether the date has jumped; None: it never does.

    Attributes:
        doubt: why nothing goes for its age; empty where it may.
    """

    def __init__(
        self,
        data_dir: Path,
        settings: RecordsSettings,
        stored_bytes: int,
        clock: StationClock | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._settings = settings
        self._clock = clock
        self.stored_bytes = stored_bytes
        self.doubt = ""

    def room_for_images(self) -> bool:
        """Whether the disk has more space free than the settings ask to be left alone."""
        return self._lacking_bytes() <= 0

    def apply(self, db: sqlite3.Connection, now: datetime | None = None) -> int:
        """Forget at most :data:`STEP` images and as many rows; the number of both together.

        Raises :class:`~edge.errors.RecordsError` or ``sqlite3.Error``; calling again goes on.
        """
        now = now or datetime.now(timezone.utc)
        jump_s = 0.0 if self._clock is None else self._clock.jump_s()
        self.doubt = ""
        if jump_s and self._anything_old(db, now):
            self.doubt = _DOUBT.format(days=jump_s / DAY_S, now=now)
        images = self._forget_images(db, now)
        # Rows come second: only once there is no image left for this call to delete.
        rows = self._forget_rows(db, now) if images < STEP else 0
        if images or rows:
            # Not execute(): that runs this pragma for a single page.
            db.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")
        return images + rows

    def _anything_old(self, db: sqlite3.Connection, now: datetime) -> bool:
        """Whether the date says that something is to be deleted for its age."""
        limits = {"image_bytes > 0": self._settings.images_max_days, "1": self._settings.rows_max_days}
        return any(
            db.execute(
                f"SELECT EXISTS (SELECT 1 FROM inspections WHERE {which} AND captured_at < ?)",
                (self._horizon(now, max_days),),
            ).fetchone()[0]
            for which, max_days in limits.items()
        )

    def _forget_images(self, db: sqlite3.Connection, now: datetime) -> int:
        horizon = self._horizon(now, self._settings.images_max_days)
        excess = max(self._excess_bytes(db), self._lacking_bytes())
        if excess <= 0 and not horizon:
            return 0
        oldest = db.execute(
            "SELECT id, captured_at, image, overlay, other_images, image_bytes FROM inspections "
            "WHERE image_bytes > 0 ORDER BY captured_at LIMIT ?",
            (STEP,),
        ).fetchall()
        going = []
        for row in oldest:
            if excess <= 0 and row["captured_at"] >= horizon:
                break
            going.append(row)
            excess -= row["image_bytes"]
        # Files before rows: a crash in between leaves rows whose files are gone, and the next call
        # clears those; the other way round it would leave files that no row remembers.
        self._remove_files(going)
        if going:
            with transaction(db):
                db.executemany(
                    "UPDATE inspections SET image = '', overlay = '', other_images = '[]', image_bytes = 0 "
                    "WHERE id = ?",
                    [(row["id"],) for row in going],
                )
        self.stored_bytes -= sum(row["image_bytes"] for row in going)
        return len(going)

    def _forget_rows(self, db: sqlite3.Connection, now: datetime) -> int:
        horizon = self._horizon(now, self._settings.rows_max_days)
        too_large = self.stored_bytes <= 0 and self._excess_bytes(db) > 0
        if not too_large and not horizon:
            return 0
        oldest = db.execute(
            "SELECT id, captured_at, image, overlay, other_images, image_bytes FROM inspections "
            "WHERE id <> (SELECT id FROM inspections ORDER BY seq DESC, id DESC LIMIT 1) "
            "ORDER BY captured_at LIMIT ?",
            (STEP,),
        ).fetchall()
        going = [row for row in oldest if too_large or row["captured_at"] < horizon]
        self._remove_files(going)
        if going:
            with transaction(db):
                db.executemany("DELETE FROM inspections WHERE id = ?", [(row["id"],) for row in going])
        self.stored_bytes -= sum(row["image_bytes"] for row in going)
        return len(going)

    def _excess_bytes(self, db: sqlite3.Connection) -> int:
        """How far the history is over its largest size; 0 or less when it is within."""
        if self._settings.max_size_gb is None:
            return 0
        return self.stored_bytes + used_bytes(db) - round(self._settings.max_size_gb * GB)

    def _lacking_bytes(self) -> int:
        """How far the disk's free space is under what must be left; 0 or less when there is enough."""
        return round(self._settings.min_free_gb * GB) - shutil.disk_usage(self._data_dir).free

    def _remove_files(self, rows: list[sqlite3.Row]) -> None:
        remove(self._data_dir / name for row in rows for name in image_names(row))

    def _horizon(self, now: datetime, max_days: float | None) -> str:
        """The ``captured_at`` before which things are too old; empty (before all times) without a limit."""
        if max_days is None or self.doubt:
            return ""
        try:
            return utc_timestamp(now - timedelta(days=max_days))
        except OverflowError:
            return ""
