"""Whether announcements and images are known to come in step, one image for each announcement."""

from __future__ import annotations

import math


class ArrivalOrder:
    """The order of one camera's announcements and images, on the monotonic clock.

    After anything that did not match (an image too many, two parts that one image may show) a late
    image or a late announcement may still be under way, and from then on each image would be taken
    for the part before. So the order stays in doubt until an announcement comes after a rest: for
    longer than the window there was neither an announcement nor an image, and nothing can be late.

    Args:
        window_s: an image is taken within so many seconds after its announcement.
    """

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._latest_s = -math.inf
        self._doubted = False

    def announced(self, at_s: float) -> bool:
        """A part was announced; whether the next image may be taken for its own."""
        if at_s - self._latest_s > self._window_s:
            self._doubted = False
        self._latest_s = max(self._latest_s, at_s)
        return not self._doubted

    def seen(self, at_s: float) -> None:
        """An image was taken."""
        self._latest_s = max(self._latest_s, at_s)

    def doubt(self) -> None:
        """Something did not match."""
        self._doubted = True
