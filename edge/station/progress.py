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

    Pieces may differ in size: what is usual is told by what a piece of size 1 takes.

    Args:
        hang_s: a piece that takes longer hangs, unless they usually take more than a quarter of this.
        sentence: what is said of a piece that hangs, with ``{name}`` and ``{limit_s}``.
        first_s: what the first piece may take for each unit of its size.
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
        self._most_s = first_s  # for each unit of a piece's size
        # Name, beginning and limit; replaced as a whole, so that it needs no lock.
        self._under_way: tuple[str, float, float] | None = None

    @contextmanager
    def working_on(self, name: str, size: int = 1) -> Iterator[None]:
        """Around one piece of work; ``size`` says how many times as long as a usual one it may take."""
        began_s = self._clock()
        self._under_way = (name, began_s, max(self._hang_s, self._most_s * size))
        try:
            yield
        finally:
            self._under_way = None
            self._usual_s.append((self._clock() - began_s) / size)
            self._most_s = _USUAL_TIMES * statistics.median(self._usual_s)

    @property
    def hang(self) -> str:
        """What hangs, since when and what to do; empty while the work goes on."""
        under_way = self._under_way
        if under_way is None:
            return ""
        name, began_s, limit_s = under_way
        if self._clock() - began_s <= limit_s:
            return ""
        return self._sentence.format(name=name, limit_s=f"{limit_s:.3g}")
