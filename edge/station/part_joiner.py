"""The images of one part from several cameras, put together by the part's name."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass

from edge.cameras import Frame
from edge.station.part_queue import QueuedPart

#: Parts that may wait for a view. A camera that shows none must not fill the memory with the others' images.
_MOST_WAITING = 32


@dataclass(frozen=True, slots=True)
class JoinedPart:
    """What the cameras saw of one part.

    Attributes:
        images: one of each camera, in the order of their arrival; at least one.
    """

    images: tuple[QueuedPart, ...]

    @property
    def part_id(self) -> str:
        return self.images[0].frame.part_id

    @property
    def frames(self) -> tuple[Frame, ...]:
        return tuple(each.frame for each in self.images)

    @property
    def arrived_s(self) -> float:
        """When the last image came, on the monotonic clock."""
        return max(each.arrived_s for each in self.images)

    @property
    def overrun(self) -> bool:
        """Whether an image was skipped because too many were waiting."""
        return any(each.overrun for each in self.images)

    @property
    def missed(self) -> int:
        """Frames that the cameras counted just before this part and that never arrived."""
        return sum(frame.missed for frame in self.frames)

    @property
    def sources(self) -> tuple[str, ...]:
        """Which files the images are, where they are kept apart."""
        return tuple(frame.source for frame in self.frames if frame.source)

    def without_images(self, error: str) -> JoinedPart:
        """The part, to be an error; a frame that is one already keeps what it says."""
        refused = (
            dataclasses.replace(each.frame, image=None, error=each.frame.error or error)
            for each in self.images
        )
        return JoinedPart(
            tuple(
                dataclasses.replace(each, frame=frame)
                for each, frame in zip(self.images, refused, strict=True)
            )
        )


class PartJoiner:
    """Takes images one by one and gives the parts that wait for no view any more. For one thread.

    A part that lacks a view for longer than the window goes on without it, so that it can be an error; so
    does the part that waits longest where too many do, and one whose camera shows the same name again.

    Args:
        window_s: how long a part waits for its other views, after the first.
        clock: monotonic seconds.
    """

    def __init__(self, window_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._window_s = window_s
        self._clock = clock
        self._cameras: frozenset[str] = frozenset()
        self._waiting: dict[str, list[QueuedPart]] = {}  # by part, the oldest first
        self._since_s: dict[str, float] = {}
        self._ready: deque[JoinedPart] = deque()

    def expect(self, cameras: Collection[str]) -> None:
        """From now on a part has an image of each of these; with none or one, each image is a part."""
        self.release()
        self._cameras = frozenset(cameras if len(cameras) > 1 else ())

    def add(self, image: QueuedPart) -> None:
        """Another image, to wait for the others of its part."""
        frame = image.frame
        if frame.camera not in self._cameras:
            self._ready.append(JoinedPart((image,)))
            return
        if any(each.frame.camera == frame.camera for each in self._waiting.get(frame.part_id, ())):
            self._go_on(frame.part_id)
        self._waiting.setdefault(frame.part_id, []).append(image)
        self._since_s.setdefault(frame.part_id, self._clock())
        if len(self._waiting[frame.part_id]) == len(self._cameras):
            self._go_on(frame.part_id)
        elif len(self._waiting) > _MOST_WAITING:
            self._go_on(next(iter(self._waiting)))

    def take(self) -> JoinedPart | None:
        """The next part that waits for no view any more."""
        while self._since_s and self._clock() - next(iter(self._since_s.values())) > self._window_s:
            self._go_on(next(iter(self._since_s)))
        return self._ready.popleft() if self._ready else None

    def release(self) -> None:
        """No part waits any longer: nothing more comes."""
        for part_id in list(self._waiting):
            self._go_on(part_id)

    @property
    def is_empty(self) -> bool:
        """Whether every image was taken with its part."""
        return not self._waiting and not self._ready

    def _go_on(self, part_id: str) -> None:
        self._ready.append(JoinedPart(tuple(self._waiting.pop(part_id))))
        del self._since_s[part_id]
