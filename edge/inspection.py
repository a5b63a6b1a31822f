"""All that is known about one part: the record that every room speaks of.

One flat level, the same names in JSON, in SQLite and in the documentation. The camera's frame
becomes an inspection exactly once; an inspection is never changed afterwards.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import Any


class Verdict(str, Enum):
    """What the station says of a part. An error implies reject: it is never an OK."""

    OK = "ok"
    NG = "ng"
    ERROR = "error"

    @property
    def code(self) -> int:
        """The number a PLC reads: 1 ok, 2 ng, 3 error (0 is left for *nothing yet*)."""
        return {"ok": 1, "ng": 2, "error": 3}[self.value]


@dataclass(frozen=True, slots=True)
class Region:
    """One connected anomalous area, in pixels of the captured image.

    Attributes:
        x, y, width, height: the bounding box, its origin at the image's top left.
        area: pixels inside the region.
        peak: the region's highest value on the calibrated map (0 good, 1 simulated defect).
    """

    x: int
    y: int
    width: int
    height: int
    area: int
    peak: float


@dataclass(frozen=True, slots=True)
class ViewResult:
    """What one of several views says of a part; its fields are those of the inspection.

    Attributes:
        view: the view's name.
        camera: which camera saw it.
        verdict, p_anomaly, score, p_value, location, regions, error: of this view alone.
    """

    view: str
    camera: str
    verdict: Verdict
    p_anomaly: float | None = None
    score: float | None = None
    p_value: float | None = None
    location: str = ""
    regions: tuple[Region, ...] = ()
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON types, in a fixed order."""
        return dataclasses.asdict(self) | {"verdict": self.verdict.value}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> ViewResult:
        """The inverse of :meth:`to_dict`."""
        return cls(**{**fields, "verdict": Verdict(fields["verdict"]), "regions": _regions(fields)})


@dataclass(frozen=True, slots=True)
class Inspection:
    """One part's verdict, place and words.

    Of a product with several views, the verdict and all that belongs to it are those of the worst view.

    Attributes:
        id: ULID, sortable by time.
        seq: number of the inspection on this station, without gaps; 0 outside a station.
        station, product, part_id, camera: where it was made and of what.
        captured_at: UTC, ISO 8601 with milliseconds.
        verdict: ``ok``, ``ng`` or ``error``.
        review: true where the deciders disagree, or one stands in for the other: a person should look.
        p_anomaly: probability of an anomaly from the decider, 0 to 1; None for an error.
        score: the map's one number on the product's scale (0 good, 1 simulated defect).
        p_value: the smallest false-alarm rate that the references can promise for this score.
        location: nine-cell grid words (``top left`` …), empty when nothing stands out.
        regions: anomalous areas, the highest peak first.
        words: one sentence for the operator.
        error: what went wrong, for verdict ``error``; else empty.
        bundle: name and hash of the model bundle.
        references: number of good parts the product was learned from.
        latency_ms: stage name to milliseconds.
        acquisition: number of the handshake's acquisition that asked for it; 0: none did.
        view: which of the product's views the verdict is of; empty where the product has but one.
        views: what each of several views says; empty where the product has but one.
    """

    id: str
    seq: int
    station: str
    product: str
    part_id: str
    camera: str
    captured_at: str
    verdict: Verdict
    review: bool = False
    p_anomaly: float | None = None
    score: float | None = None
    p_value: float | None = None
    location: str = ""
    regions: tuple[Region, ...] = ()
    words: str = ""
    error: str = ""
    bundle: str = ""
    references: int = 0
    latency_ms: Mapping[str, float] = dataclasses.field(default_factory=dict)
    acquisition: int = 0
    view: str = ""
    views: tuple[ViewResult, ...] = ()

    @property
    def code(self) -> int:
        """The verdict as a PLC's number: 1 ok, 2 ng, 3 error."""
        return self.verdict.code

    @property
    def waited_ms(self) -> float:
        """How long the part waited for the inspector, after the camera had seen it."""
        return self.latency_ms.get("queue", 0.0)

    @property
    def took_ms(self) -> float | None:
        """What the verdict took, vision and language, without the waiting; None where there is none."""
        total_ms = self.latency_ms.get("total")
        return None if total_ms is None else total_ms - self.waited_ms

    def to_dict(self) -> dict[str, Any]:
        """The inspection as plain JSON types, in a fixed order."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        fields["verdict"] = self.verdict.value
        fields["regions"] = [dataclasses.asdict(region) for region in self.regions]
        fields["latency_ms"] = dict(self.latency_ms)
        fields["views"] = [view.to_dict() for view in self.views]
        ordered: dict[str, Any] = {}
        for name, value in fields.items():
            ordered[name] = value
            if name == "verdict":
                ordered["code"] = self.code
        return ordered

    def to_json(self) -> str:
        """The inspection as one line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Inspection:
        """The inverse of :meth:`to_dict`."""
        known = dict(fields)
        known.pop("code", None)
        known["verdict"] = Verdict(known["verdict"])
        known["regions"] = _regions(known)
        known["views"] = tuple(ViewResult.from_dict(view) for view in known.get("views", ()))
        return cls(**known)


def _regions(fields: Mapping[str, Any]) -> tuple[Region, ...]:
    return tuple(Region(**region) for region in fields.get("regions", ()))


def utc_timestamp(moment: datetime | None = None) -> str:
    """A moment (default: now) as UTC ISO 8601 with milliseconds and ``Z``."""
    moment = moment or datetime.now(timezone.utc)
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
