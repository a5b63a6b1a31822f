"""Whether a thread gets on with its work, or hangs in the middle of it."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: A piece takes as long as the ones before it, give or take; so many times as long is a hang.
_USUAL_TIMES = 4
_REMEMBERED = 15


class ThreadProgress:
    """Follows one thread's work, piece by piece; any thread may ask. Idle is no hang.

    Args:
        hang_s: a piece that takes longer hangs, unless they usually take more than a quarter of this.
        sentence: what is said of a piece that hangs, with ``{name}`` and ``{limit_s}``.
        first_s: the first piece may take so long.
        clock: seconds, steady.
    """

    def __init__(
        self,
        hang_s: float,
        sentence: str,
        *,
        first_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sentence = sentence
        self._hang_s = hang_s
        self._clock = clock
        self._usual_s: deque[float] = deque(maxlen=_REMEMBERED)
        self._limit_s = max(hang_s, first_s)
        self._under_way: tuple[str, float] | None = None  # replaced as a whole, so that it needs no lock

    @contextmanager
    def working_on(self, name: str) -> Iterator[None]:
        """Around one piece of work."""
        began_s = self._clock()
        self._under_way = (name, began_s)
        try:
            yield
        finally:
            self._under_way = None
            self._usual_s.append(self._clock() - began_s)
            self._limit_s = max(self._hang_s, _USUAL_TIMES * statistics.median(self._usual_s))

    @property
    def hang(self) -> str:
        """What hangs, since when and what to do; empty while the work goes on."""
        under_way = self._under_way
        if under_way is None:
            return ""
        name, began_s = under_way
        if self._clock() - began_s <= self._limit_s:
            return ""
        return self._sentence.format(name=name, limit_s=f"{self._limit_s:.3g}")
