"""Which part an image shows, where the PLC names each part before the camera sees it.

The camera takes its images by itself or by a line of its own; ``cmd/trigger`` announces the parts
that will come. Announcements and images are matched in their order and within a window of time, and
whatever does not match is an error: an image is never taken for another part's.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from edge.cameras import Frame
from edge.messaging.commands import CommandRefusedError

#: Parts that may be announced at one time; a PLC that is further ahead has lost its camera.
MAX_EXPECTED = 100


@dataclass(frozen=True, slots=True)
class _Expected:
    part_id: str
    at: datetime


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Triggers:
    """The announced parts that no image has been seen of. Thread-safe.

    Args:
        camera: its name, for the error of a part that it did not see.
        window_s: an image must be taken within so many seconds after its announcement.
        clock: the time now, in UTC.

    Attributes:
        window_s: as given.
    """

    def __init__(self, camera: str, window_s: float, clock: Callable[[], datetime] = _now) -> None:
        self._camera = camera
        self.window_s = window_s
        self._clock = clock
        self._lock = threading.Lock()
        self._expected: deque[_Expected] = deque()

    def expect(self, part_id: str) -> None:
        """The next image that no announcement is waiting for yet will show this part.

        Raises:
            CommandRefusedError: too many parts are announced already.
        """
        with self._lock:
            if len(self._expected) >= MAX_EXPECTED:
                raise CommandRefusedError(
                    f"{MAX_EXPECTED} parts are announced and none of them was seen.", "Look at the camera."
                )
            self._expected.append(_Expected(part_id, self._clock()))

    def match(self, frame: Frame) -> list[Frame]:
        """The frame under its part's name, behind an error for each announced part before it.

        A frame that nobody announced becomes an error. One that is an error already counts as the
        image of its part, and keeps what it says.
        """
        with self._lock:
            frames = self._overdue(frame.captured_at)
            announced = self._expected and self._expected[0].at <= frame.captured_at
            part_id = self._expected.popleft().part_id if announced else ""
        if part_id:
            frames.append(dataclasses.replace(frame, part_id=part_id))
        elif frame.error:
            frames.append(frame)
        else:
            error = (
                f"Camera {self._camera} took an image that no trigger announced. Announce each part with "
                "cmd/trigger before the camera sees it, or look for a light barrier that fires twice."
            )
            frames.append(dataclasses.replace(frame, image=None, error=error))
        return frames

    def overdue(self) -> list[Frame]:
        """An error for each announced part whose time is over; to be asked for while no image comes."""
        with self._lock:
            return self._overdue(self._clock())

    def _overdue(self, at: datetime) -> list[Frame]:
        frames = []
        while self._expected and at > self._expected[0].at + timedelta(seconds=self.window_s):
            part_id = self._expected.popleft().part_id
            error = (
                f"Camera {self._camera} took no image within {self.window_s:g} s after the trigger. "
                "Look at the camera and its light barrier, or raise part_ids.window_s."
            )
            frames.append(Frame(None, part_id, self._camera, at, 0, error))
        return frames
