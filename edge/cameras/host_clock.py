"""A moment that was stamped by the wall clock, as a moment of the monotonic clock."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

#: Images wait at most about so long in the driver's buffers before they are taken.
_REMEMBERED_S = 60.0

#: A wall clock that is slewed or read a moment later has not been set.
_STEP_S = 0.02


@dataclass(slots=True)
class _Offset:
    """How far the wall clock was ahead of the monotonic one, as seen from then until then."""

    ahead_s: float
    from_s: float
    until_s: float


class HostClock:
    """Translates a driver's wall-clock stamps although the wall clock may be set at any moment.

    How far the two clocks are apart is looked at again and again. A stamp can be from before a step
    or from after it; where both give a moment that fits what was seen, its moment is not known.

    Args:
        wall, steady: seconds; the machine's clocks.
    """

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._offsets: deque[_Offset] = deque()
        self._latest_s = -math.inf
        self.look()

    def look(self) -> None:
        """Note how far the clocks are apart now; to be called often."""
        now_s = self._steady()
        ahead_s = self._wall() - now_s
        if self._offsets and abs(self._offsets[-1].ahead_s - ahead_s) <= _STEP_S:
            self._offsets[-1].ahead_s, self._offsets[-1].until_s = ahead_s, now_s
        else:
            self._offsets.append(_Offset(ahead_s, now_s, now_s))
        while now_s - self._offsets[0].until_s > _REMEMBERED_S:
            self._offsets.popleft()

    def steady(self, stamp_s: float) -> float | None:
        """The stamp on the monotonic clock, seconds; None where it cannot be known."""
        self.look()
        earliest_s, possible = self._latest_s, []
        for offset, following in zip(self._offsets, [*list(self._offsets)[1:], None], strict=True):
            latest_s = offset.until_s if following is None else following.from_s
            moment_s = stamp_s - offset.ahead_s
            if earliest_s - _STEP_S <= moment_s <= latest_s + _STEP_S:
                possible.append(min(moment_s, latest_s))
            earliest_s = max(earliest_s, offset.until_s)  # the next one was true at the earliest from then
        if len(possible) != 1:
            return None
        self._latest_s = max(self._latest_s, possible[0])
        return possible[0]
