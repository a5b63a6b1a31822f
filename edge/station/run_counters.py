"""The counters of one run of a station."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from edge.inspection import Inspection, Verdict


@dataclass(frozen=True, slots=True)
class RunCounters:
    """What a station has said since it started; never changed, so any thread may keep one.

    Attributes:
        total, ok, ng, error: inspections, and how many of each verdict.
        overrun: of the errors, parts that came while too many were waiting.
        missed: parts that the camera counted and never delivered; they are not in ``total``.
        timed: inspections that reached a verdict ok or ng, over which the times are taken.
        min_ms, sum_ms, max_ms: what a verdict took, without the part's waiting for it.
        waited_sum_ms, waited_max_ms: that waiting, between the camera and the inspector.
    """

    total: int = 0
    ok: int = 0
    ng: int = 0
    error: int = 0
    overrun: int = 0
    missed: int = 0
    timed: int = 0
    min_ms: float = 0.0
    sum_ms: float = 0.0
    max_ms: float = 0.0
    waited_sum_ms: float = 0.0
    waited_max_ms: float = 0.0

    @property
    def mean_ms(self) -> float:
        """What a verdict took on the average, 0 before the first."""
        return self.sum_ms / self.timed if self.timed else 0.0

    @property
    def waited_mean_ms(self) -> float:
        """How long a part waited on the average, 0 before the first."""
        return self.waited_sum_ms / self.timed if self.timed else 0.0

    @property
    def times(self) -> str:
        """What a part took and how long it waited, in words."""
        return (
            f"{self.min_ms:.0f} / {self.mean_ms:.0f} / {self.max_ms:.0f} ms a part (min / mean / max), "
            f"waited {self.waited_mean_ms:.0f} / {self.waited_max_ms:.0f} ms (mean / max)"
        )

    def plus(self, inspection: Inspection, *, overrun: bool = False, missed: int = 0) -> RunCounters:
        """The counters with one more inspection."""
        verdict, ms, waited_ms = inspection.verdict, inspection.took_ms or 0.0, inspection.waited_ms
        counted = dataclasses.replace(
            self,
            total=self.total + 1,
            ok=self.ok + (verdict is Verdict.OK),
            ng=self.ng + (verdict is Verdict.NG),
            error=self.error + (verdict is Verdict.ERROR),
            overrun=self.overrun + overrun,
            missed=self.missed + missed,
        )
        if verdict is Verdict.ERROR:
            return counted
        return dataclasses.replace(
            counted,
            timed=self.timed + 1,
            min_ms=min(self.min_ms, ms) if self.timed else ms,
            sum_ms=self.sum_ms + ms,
            max_ms=max(self.max_ms, ms),
            waited_sum_ms=self.waited_sum_ms + waited_ms,
            waited_max_ms=max(self.waited_max_ms, waited_ms),
        )

    def __str__(self) -> str:
        text = f"{self.total} parts: {self.ok} OK, {self.ng} NG, {self.error} errors"
        if self.overrun:
            text += f" ({self.overrun} overruns)"
        if self.missed:
            text += f", {self.missed} missed"
        if self.timed:
            text += f"; {self.times}"
        return text
