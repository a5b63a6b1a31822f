"""An inspection as a row, and a row as an inspection."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge.inspection import Inspection, Verdict

#: The columns that hold the inspection's own fields: the same names as in its JSON.
COLUMNS = (*(field.name for field in dataclasses.fields(Inspection)), "code")
_JSON_COLUMNS = ("regions", "latency_ms", "views")
_REAL_COLUMNS = ("p_anomaly", "score", "p_value")

_INSERT = (
    "INSERT INTO inspections ({names}, image, overlay, other_images, image_bytes) "
    "VALUES ({marks}, :image, :overlay, :other_images, :image_bytes) ON CONFLICT (id) DO NOTHING"
).format(
    names=", ".join(f'"{name}"' for name in COLUMNS),
    marks=", ".join(f":{name}" for name in COLUMNS),
)

_COUNT = """
INSERT INTO counters VALUES (:product, :ok, :ng, :error, :review, :timed, :ms, :ms_or_null, :ms_or_null)
ON CONFLICT (product) DO UPDATE SET
    ok = ok + excluded.ok, ng = ng + excluded.ng, error = error + excluded.error,
    review = review + excluded.review, timed = timed + excluded.timed,
    latency_sum_ms = latency_sum_ms + excluded.latency_sum_ms,
    latency_min_ms = MIN(COALESCE(latency_min_ms, excluded.latency_min_ms),
                         COALESCE(excluded.latency_min_ms, latency_min_ms)),
    latency_max_ms = MAX(COALESCE(latency_max_ms, excluded.latency_max_ms),
                         COALESCE(excluded.latency_max_ms, latency_max_ms))
"""


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """The image files of an inspection, by their paths under ``data_dir``.

    Attributes:
        image: as captured; of a product with several views, of the one that the verdict is of.
        overlay: the same with the map; both empty where they are not kept.
        others: of the other views.
        size: bytes of all.
    """

    image: str = ""
    overlay: str = ""
    others: tuple[str, ...] = ()
    size: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.image, self.overlay, *self.others)))


def image_names(row: Mapping[str, Any] | sqlite3.Row) -> list[str]:
    """All image files of a row with ``image``, ``overlay`` and ``other_images``."""
    return [name for name in (row["image"], row["overlay"], *json.loads(row["other_images"])) if name]


def insert(db: sqlite3.Connection, inspection: Inspection, files: ImageFiles | None = None) -> int:
    """Add one inspection and count it; one that is already there is neither changed nor counted again.

    Returns the bytes of image files that the database now knows of in addition.
    """
    files = files or ImageFiles()
    values = _values(inspection) | {
        "image": files.image,
        "overlay": files.overlay,
        "other_images": json.dumps(files.others),
        "image_bytes": files.size,
    }
    if db.execute(_INSERT, values).rowcount == 0:
        return 0
    total_ms = inspection.latency_ms.get("total")
    db.execute(
        _COUNT,
        {
            "product": values["product"],
            "ok": inspection.verdict is Verdict.OK,
            "ng": inspection.verdict is Verdict.NG,
            "error": inspection.verdict is Verdict.ERROR,
            "review": inspection.review,
            "timed": total_ms is not None,
            "ms": float(total_ms or 0.0),
            "ms_or_null": None if total_ms is None else float(total_ms),
        },
    )
    return files.size


def write_words(db: sqlite3.Connection, inspection_id: str, words: str) -> bool:
    """Fill in the sentence of one inspection, and nothing else of it; whether there is such a row."""
    values = {"id": inspection_id, "words": _storable(words)}
    return db.execute("UPDATE inspections SET words = :words WHERE id = :id", values).rowcount > 0


def inspection_of(row: Mapping[str, Any] | sqlite3.Row) -> Inspection:
    """The inspection that was given to :func:`insert`."""
    fields = {name: row[name] for name in COLUMNS}
    for name in _JSON_COLUMNS:
        fields[name] = json.loads(fields[name])
    fields["review"] = bool(fields["review"])
    return Inspection.from_dict(fields)


def _values(inspection: Inspection) -> dict[str, Any]:
    values = inspection.to_dict()
    for name in _JSON_COLUMNS:
        values[name] = json.dumps(values[name], separators=(",", ":"), default=float)
    for name in _REAL_COLUMNS:
        if values[name] is not None:
            values[name] = float(values[name])
    return {name: _storable(value) for name, value in values.items()}


def _storable(value: Any) -> Any:
    # A file name that is not UTF-8 reaches us with lone surrogates, which SQLite refuses as text.
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
