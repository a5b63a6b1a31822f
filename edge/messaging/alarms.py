"""Alarms latch: one that came stands until somebody acknowledged it, also after a restart.

An alarm is *active* while its cause lasts or nobody has acknowledged it. ``NG_SERIES`` and
``INSPECTION_ERROR`` come from verdicts, ``PRODUCT`` from a command, and have no lasting cause: they
stand until acknowledged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from edge.inspection import Inspection, Verdict
from edge.messaging.codes import AlarmCode
from edge.messaging.settings import AlarmSettings


@dataclass(frozen=True)
class AlarmChange:
    """What is published when an alarm changes.

    Attributes:
        active, acked: of this alarm.
        mask: bit ``code - 1`` of every active alarm.
        unacked: bit ``code - 1`` of every alarm that waits for an acknowledgment.
    """

    code: AlarmCode
    active: bool
    acked: bool
    mask: int
    unacked: int
    text: str


class AlarmBook:
    """The station's alarms. Not thread-safe: its owner holds a lock.

    Args:
        settings: what raises an alarm by itself.
        mask, unacked: as last published, when the station last ran.
    """

    def __init__(self, settings: AlarmSettings, *, mask: int = 0, unacked: int = 0) -> None:
        self._settings = settings
        self._unacked = _codes(unacked)
        self._caused = _codes(mask & ~unacked)
        self._recent: deque[bool] = deque(maxlen=settings.ng_window)

    @property
    def mask(self) -> int:
        """Bit ``code - 1`` of every active alarm."""
        return _bits(self._caused | self._unacked)

    @property
    def unacked(self) -> int:
        """The same of every alarm that waits for an acknowledgment."""
        return _bits(self._unacked)

    def observe(self, inspection: Inspection) -> list[AlarmChange]:
        """The alarms that a verdict raises: K of the last N *ng*, or any *error*."""
        changes = []
        self._recent.append(inspection.verdict is Verdict.NG)
        count = self._settings.ng_count
        if count and sum(self._recent) >= count:
            text = f"{sum(self._recent)} of the last {len(self._recent)} parts are ng."
            changes += self._latch_once(AlarmCode.NG_SERIES, text)
            self._recent.clear()  # the next alarm needs a new series
        if inspection.verdict is Verdict.ERROR and self._settings.on_error:
            changes += self._latch_once(AlarmCode.INSPECTION_ERROR, inspection.error)
        return changes

    def set(self, code: AlarmCode, active: bool, text: str = "") -> list[AlarmChange]:
        """A lasting cause came or went."""
        if active:
            if code in self._caused:
                return []
            self._caused.add(code)
            self._unacked.add(code)
            return [self._change(code, text)]
        if code not in self._caused:
            return []
        self._caused.discard(code)
        return [self._change(code, text)]

    def latch(self, code: AlarmCode, text: str) -> AlarmChange:
        """Something happened that somebody has to see: said also where the alarm stands already."""
        self._unacked.add(code)
        return self._change(code, text)

    def forget_causes(self, text: str) -> list[AlarmChange]:
        """The station starts: what caused alarms before is raised again if it still lasts."""
        return [change for code in sorted(self._caused) for change in self.set(code, False, text)]

    def acknowledge(self, codes: Iterable[AlarmCode] = tuple(AlarmCode)) -> list[AlarmChange]:
        """Somebody has seen these alarms; those without a lasting cause end."""
        changes = []
        for code in codes:
            if code in self._unacked:
                self._unacked.discard(code)
                changes.append(self._change(code, "acknowledged"))
        return changes

    def _latch_once(self, code: AlarmCode, text: str) -> list[AlarmChange]:
        return [] if code in self._unacked else [self.latch(code, text)]

    def _change(self, code: AlarmCode, text: str) -> AlarmChange:
        active = code in self._caused or code in self._unacked
        return AlarmChange(code, active, code not in self._unacked, self.mask, self.unacked, text)


def _codes(bits: int) -> set[AlarmCode]:
    return {code for code in AlarmCode if bits >> (code - 1) & 1}


def _bits(codes: set[AlarmCode]) -> int:
    return sum(1 << (code - 1) for code in codes)
