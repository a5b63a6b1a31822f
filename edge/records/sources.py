"""Which images were inspected already, and which ended the station before they were.

A source is an image by its origin, such as a file as it was at one moment. It is marked in the
transaction that records its inspection: a source is inspected if, and only if, its row was kept.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path

log = logging.getLogger(__name__)

#: So many sources are remembered at most; the oldest are forgotten.
MAX_SOURCES = 1_000_000


def mark(db: sqlite3.Connection, source: str, seq: int) -> None:
    """The source has its inspection, whatever happened before."""
    db.execute(
        "INSERT INTO sources (source, seq, deaths) VALUES (?, ?, 0) "
        "ON CONFLICT (source) DO UPDATE SET seq = excluded.seq, deaths = 0",
        (source, seq),
    )


def note_deaths(db: sqlite3.Connection, sources: Iterable[str]) -> None:
    """The station ended while these were under way."""
    db.executemany(
        "INSERT INTO sources (source, seq, deaths) VALUES (?, 0, 1) "
        "ON CONFLICT (source) DO UPDATE SET deaths = deaths + 1",
        [(source,) for source in sources],
    )


def forget(db: sqlite3.Connection, sources: Iterable[str]) -> None:
    """These are gone and will not come again."""
    db.executemany("DELETE FROM sources WHERE source = ?", [(source,) for source in sources])


def inspect_again(db: sqlite3.Connection, prefix: str) -> None:
    """Whatever begins so counts as new; how often it ended the station stays."""
    db.execute("UPDATE sources SET seq = 0 WHERE substr(source, 1, length(?)) = ?", (prefix, prefix))


def trim(db: sqlite3.Connection, at_most: int = MAX_SOURCES) -> None:
    """Forget the oldest of too many."""
    db.execute(
        "DELETE FROM sources WHERE rowid <= (SELECT rowid FROM sources ORDER BY rowid DESC LIMIT 1 OFFSET ?)",
        (at_most,),
    )


class Sources:
    """Answers over a connection of its own, which neither waits for the writer nor holds it up.

    Args:
        path: the database; it exists.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._complained = False
        self._db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0, check_same_thread=False
        )

    def close(self) -> None:
        """Nothing is asked any more."""
        with self._lock:
            self._db.close()

    def look_up(self, source: str) -> tuple[int, int]:
        """The number of its inspection, 0 for none, and how often it ended the station.

        A history that cannot be read knows nothing: a part is then inspected twice rather than never.
        """
        try:
            with self._lock:
                row = self._db.execute(
                    "SELECT seq, deaths FROM sources WHERE source = ?", (source,)
                ).fetchone()
        except sqlite3.Error as error:
            if not self._complained:
                log.warning("records: the list of inspected files cannot be read (%s)", error)
            self._complained = True
            return 0, 0
        return (0, 0) if row is None else (int(row[0]), int(row[1]))
