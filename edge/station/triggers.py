"""Which part an image shows, where the PLC names each part before the camera sees it.

The camera takes its images by itself or by a line of its own; ``cmd/trigger`` announces the parts
that will come. An image is taken for a part's where it can be no other's: one part is announced
within the window, and nothing before it has left the order in doubt. Everything else is an error.

All times are monotonic. What the camera counted and lost is counted here too: with the lost images,
two parts that wait for two images are in order.
"""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

from edge.cameras import ArrivalOrder, Frame
from edge.messaging import CommandRefusedError

#: Parts that may be announced at one time; a PLC that is further ahead has lost its camera.
MAX_EXPECTED = 100

#: So many of the latest distances between two announcements are looked at; one of them may be an
#: announcement that the network held back.
_DISTANCES = 20


@dataclass(frozen=True, slots=True)
class _Expected:
    part_id: str
    at_s: float
    acquisition: int


class Triggers:
    """The announced parts that no image has been seen of. Thread-safe; one thread matches.

    The promise: an image in a part's window is taken for that part's alone where the window is
    shorter than the time between two parts, whatever the camera or the PLC misses and whatever the
    wall clock does. Where it is longer, :attr:`trouble` says so.

    Args:
        camera: its name, for the error of a part that it did not see.
        window_s: an image must be taken within so many seconds after its announcement.
        clock: seconds, steady; the clock of ``Frame.captured_s``.

    Attributes:
        window_s: as given.
    """

    def __init__(self, camera: str, window_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._camera = camera
        self.window_s = window_s
        self._clock = clock
        self._lock = threading.Lock()
        self._expected: deque[_Expected] = deque()
        self._order = ArrivalOrder(window_s)
        self._lost: list[Frame] = []  # since the last image
        self._told = 0  # parts that surely have no image, and were told so, since the last image
        self._distances: deque[float] = deque(maxlen=_DISTANCES)
        self._announced_s = -math.inf
        self._ended = False

    @property
    def trouble(self) -> str:
        """Why a missed image would cost more than its own part; empty where it would not."""
        with self._lock:
            near_s = sorted(distance for distance in self._distances if distance <= self.window_s)
        if len(near_s) < 2:
            return ""
        return (
            f"Parts are announced {near_s[1]:.2g} s apart and part_ids.window_s is {self.window_s:g}: "
            "an image may be of either of two parts, and then both are errors. Set it below the time "
            "between two parts."
        )

    def expect(self, part_id: str, acquisition: int = 0) -> None:
        """The next image shows this part.

        Args:
            part_id: the part's name.
            acquisition: the handshake's number for it; 0 without one. A PLC that waits for each
                result is never ahead of the camera.

        Raises:
            CommandRefusedError: too many parts are announced already, or the station ends.
        """
        with self._lock:
            if self._ended:
                raise CommandRefusedError(
                    "The station is shutting down.", "Announce the part again once the station is running."
                )
            if len(self._expected) >= MAX_EXPECTED:
                raise CommandRefusedError(
                    f"{MAX_EXPECTED} parts are announced and none of them was seen.", "Check the camera."
                )
            now_s = self._clock()
            if not acquisition:
                self._distances.append(now_s - self._announced_s)
            self._announced_s = now_s
            self._expected.append(_Expected(part_id, now_s, acquisition))

    def match(self, frame: Frame) -> list[Frame]:
        """The frame under its part's name, behind an error for each announced part before it.

        A frame that cannot be any part's, or may be of more than one, becomes an error, as do the
        parts that it may be of. A frame that is an error already keeps what it says. A lost frame
        waits for the image that follows it.
        """
        with self._lock:
            if frame.lost:
                self._lost.append(frame)
                return []
            known = math.isfinite(frame.captured_s)
            at_s = frame.captured_s if known else self._clock()
            frames = self._overdue(at_s)
            waiting, trusted = self._announced_by(at_s)
            lost, self._lost = self._lost, []
            told, self._told = self._told, 0
            # Of the images that the camera lost, the first were of the parts that have their error.
            lost, missed = lost[told:], max(0, len(lost) + frame.missed - told)
            self._order.seen(at_s)
            if known and trusted and len(waiting) == missed + 1:
                unseen = [self._error_of(each, frame, self._not_arrived()) for each in waiting[:-1]]
                part = waiting[-1]
                own = dataclasses.replace(frame, part_id=part.part_id, acquisition=part.acquisition)
                return [*frames, *unseen, own]
            self._order.doubt()
        error = self._why_not(waiting, known, trusted)
        frames += [self._error_of(each, frame, error) for each in waiting]
        return [*frames, *lost, dataclasses.replace(frame, image=None, error=frame.error or error)]

    def overdue(self) -> list[Frame]:
        """An error for each announced part whose time is over; to be asked for while no image comes."""
        with self._lock:
            return self._overdue(self._clock())

    def end(self) -> list[Frame]:
        """No image comes any more: an error for each announced part that waits for one."""
        with self._lock:
            self._ended = True
            error = f"The station ended before camera {self._camera} took an image of this part."
            frames = [self._error_of(each, None, error) for each in self._expected]
            self._expected.clear()
            lost, self._lost = self._lost, []
            return [*lost, *frames]

    def _overdue(self, at_s: float) -> list[Frame]:
        frames = []
        while self._expected and at_s > self._expected[0].at_s + self.window_s:
            expected = self._expected.popleft()
            # Out of step, it may have had an image that was not taken for its own.
            self._told += self._order.announced(expected.at_s)
            error = (
                f"Camera {self._camera} took no image within {self.window_s:g} s after the trigger. "
                "Check the camera and its light barrier, or raise part_ids.window_s."
            )
            frames.append(self._error_of(expected, None, error))
        return frames

    def _announced_by(self, at_s: float) -> tuple[list[_Expected], bool]:
        """The parts that were announced then and wait for an image, and whether the order was known."""
        waiting, trusted = [], True
        while self._expected and self._expected[0].at_s <= at_s:
            waiting.append(self._expected.popleft())
            trusted &= self._order.announced(waiting[-1].at_s)
        return waiting, trusted

    def _error_of(self, expected: _Expected, frame: Frame | None, error: str) -> Frame:
        at = datetime.now(timezone.utc) if frame is None else frame.captured_at
        return Frame(None, expected.part_id, self._camera, at, 0, error, acquisition=expected.acquisition)

    def _not_arrived(self) -> str:
        return (
            f"Camera {self._camera} took the image of this part, as its count shows, and it was lost. "
            "Check network and packet delay."
        )

    def _why_not(self, waiting: list[_Expected], known: bool, trusted: bool) -> str:
        if known and not waiting:
            return (
                f"Camera {self._camera} took an image that no trigger announced. Announce each part with "
                "cmd/trigger before the camera sees it, or check for a light barrier that fires twice."
            )
        if not known:
            return (
                f"When camera {self._camera} took this image is not known: the machine's clock was set at "
                "that moment. Let NTP slew the clock, or set it while the line is stopped."
            )
        if not trusted:
            return (
                f"Camera {self._camera} and the triggers were out of step a moment ago, so an image may be "
                f"of the part before. They are in step again after {self.window_s:g} s (part_ids.window_s) "
                "without either; a shorter window needs a shorter pause."
            )
        names = ", ".join(each.part_id for each in waiting[:4])
        return (
            f"The image of camera {self._camera} may be of more than one announced part ({names}), or one "
            "that it lost was. Set part_ids.window_s below the time between two parts."
        )
