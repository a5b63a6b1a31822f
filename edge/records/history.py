"""Reading the history of inspections: by product, verdict and time, and the counters over all of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from edge.errors import RecordsError
from edge.inspection import Inspection, Verdict, utc_timestamp
from edge.records.database import FILE_NAME, reading
from edge.records.rows import inspection_of


@dataclass(frozen=True, slots=True)
class Record:
    """One inspection as the history holds it.

    Attributes:
        inspection: what was appended.
        image, overlay: the files kept of it, or None. A power cut can cost the newest files, so a
            reader should be ready for one that is not there.
    """

    inspection: Inspection
    image: Path | None
    overlay: Path | None


@dataclass(frozen=True, slots=True)
class Counters:
    """What was inspected since the history began, including rows that it has forgotten since.

    Attributes:
        total, ok, ng, error: inspections, and how many of each verdict.
        review: inspections that a person should look at.
        latency_min_ms, latency_mean_ms, latency_max_ms: of the whole way of a part (the stage
            ``total``); None before the first part that has it.
    """

    total: int = 0
    ok: int = 0
    ng: int = 0
    error: int = 0
    review: int = 0
    latency_min_ms: float | None = None
    latency_mean_ms: float | None = None
    latency_max_ms: float | None = None


class History:
    """The history under ``data_dir``, for reading; also while a station writes it.

    Every question opens a connection of its own, so any thread may ask. All methods raise
    :class:`RecordsError` where there is no history or it cannot be read.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.path = data_dir / FILE_NAME

    def query(
        self,
        *,
        product: str | None = None,
        verdict: Verdict | None = None,
        review: bool | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
    ) -> list[Record]:
        """The newest records that fit, newest first.

        Args:
            since: captured at this moment or later.
            until: captured before this moment; the last record's moment asks for the next page.
            limit: at most so many.
        """
        conditions = {
            "product = :product": product,
            "verdict = :verdict": verdict.value if verdict is not None else None,
            "review = :review": review,
            "captured_at >= :since": utc_timestamp(since) if since is not None else None,
            "captured_at < :until": utc_timestamp(until) if until is not None else None,
        }
        asked = [condition for condition, value in conditions.items() if value is not None]
        values = {condition.rsplit(":", 1)[1]: value for condition, value in conditions.items()}
        where = f"WHERE {' AND '.join(asked)}" if asked else ""
        with reading(self.path) as db:
            rows = db.execute(
                f"SELECT * FROM inspections {where} ORDER BY captured_at DESC, seq DESC LIMIT :limit",
                values | {"limit": limit},
            ).fetchall()
        return [
            Record(inspection_of(row), self._file(row["image"]), self._file(row["overlay"])) for row in rows
        ]

    def after(self, seq: int, limit: int) -> list[Inspection]:
        """The inspections above ``seq``, in the order of their numbers; of very many the last ``limit``."""
        with reading(self.path) as db:
            rows = db.execute(
                "SELECT * FROM inspections WHERE seq > ? ORDER BY seq DESC LIMIT ?", (seq, limit)
            ).fetchall()
        return [inspection_of(row) for row in reversed(rows)]

    def get(self, inspection_id: str) -> Record | None:
        """The record with this id, or None."""
        with reading(self.path) as db:
            row = db.execute("SELECT * FROM inspections WHERE id = ?", (inspection_id,)).fetchone()
        if row is None:
            return None
        return Record(inspection_of(row), self._file(row["image"]), self._file(row["overlay"]))

    def counters(self, product: str | None = None) -> Counters:
        """The counters of one product, or of all of them together."""
        with reading(self.path) as db:
            row = db.execute(
                """
                SELECT COALESCE(SUM(ok), 0) AS ok, COALESCE(SUM(ng), 0) AS ng,
                       COALESCE(SUM(error), 0) AS error, COALESCE(SUM(review), 0) AS review,
                       SUM(latency_sum_ms) / NULLIF(SUM(timed), 0) AS mean_ms,
                       MIN(latency_min_ms) AS min_ms, MAX(latency_max_ms) AS max_ms
                FROM counters WHERE :product IS NULL OR product = :product
                """,
                {"product": product},
            ).fetchone()
        return Counters(
            total=row["ok"] + row["ng"] + row["error"],
            ok=row["ok"],
            ng=row["ng"],
            error=row["error"],
            review=row["review"],
            latency_min_ms=row["min_ms"],
            latency_mean_ms=row["mean_ms"],
            latency_max_ms=row["max_ms"],
        )

    def products(self) -> list[str]:
        """Every product of which something was inspected, also where its rows are forgotten; sorted."""
        with reading(self.path) as db:
            return [str(row[0]) for row in db.execute("SELECT product FROM counters ORDER BY product")]

    def last_seq(self) -> int:
        """The highest ``seq`` recorded, from which a station counts on; 0 for an empty history."""
        with reading(self.path) as db:
            return int(db.execute("SELECT COALESCE(MAX(seq), 0) FROM inspections").fetchone()[0])

    def verify(self) -> None:
        """Read the whole database and check its structure: seconds for a large one.

        Raises :class:`RecordsError` with the first damage found.
        """
        with reading(self.path) as db:
            found = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
        if found != "ok":
            raise RecordsError(
                f"The history is damaged: {self.path} ({found}).",
                f"Move {self.path} away (a new history will be started), or rescue it with sqlite3's "
                f".recover.",
            )

    def _file(self, relative: str) -> Path | None:
        return self.data_dir / relative if relative else None
