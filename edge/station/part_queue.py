"""The bounded queue between the cameras and the inspector, and what it does when it is full."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from dataclasses import dataclass, field

from edge.cameras import Frame
from edge.choices import QueuePolicy


@dataclass(frozen=True, slots=True)
class QueuedPart:
    """A frame on its way to the inspector.

    Attributes:
        frame: what the camera saw.
        arrived_s: when it left the camera, on the monotonic clock.
        overrun: true where it was skipped because too many were waiting; its frame holds the error.
    """

    frame: Frame
    arrived_s: float
    overrun: bool = False


@dataclass(slots=True)
class _CameraQueue:
    """What waits of one camera, the oldest first."""

    parts: deque[QueuedPart] = field(default_factory=deque)
    images: int = 0


class PartQueue:
    """First in, first out, with room for so many images of each camera; one thread takes.

    Cameras are served in turn, so that a fast one cannot keep the others from the inspector. A
    skipped part keeps its place in the order but not its image, so it takes no room.

    Args:
        capacity: images that may wait, for each camera; 0 (with ``wait``): none does, the camera is asked for
            a part when the one who takes is idle.
        policy: what happens to a part that finds no room.
    """

    def __init__(self, capacity: int, policy: QueuePolicy) -> None:
        self._capacity = capacity
        self._policy = policy
        self._lanes: dict[str, _CameraQueue] = {}  # by camera, whose turn it is first
        self._ended = False
        self._idle = False  # whoever takes has nothing to do
        self._changed = threading.Condition()

    def wait_for_room(self, camera: str, timeout_s: float) -> bool:
        """Whether the camera should be asked for a part: at once but for ``wait``, there in time."""
        with self._changed:
            lane = self._lanes.setdefault(camera, _CameraQueue())
            return self._policy != "wait" or self._changed.wait_for(
                lambda: self._has_room(lane) or self._ended, timeout_s
            )

    def put(self, frame: Frame) -> None:
        """Add a frame; with the policy ``wait`` this waits for room. Nothing is added after the end."""
        arrived_s = time.monotonic()
        with self._changed:
            lane = self._lanes.setdefault(frame.camera, _CameraQueue())
            if frame.image is not None and self._policy == "wait":
                self._changed.wait_for(lambda: self._has_room(lane) or self._ended)
            if self._ended:
                return
            part = QueuedPart(frame, arrived_s)
            if frame.image is not None and self._policy != "wait" and lane.images >= self._capacity:
                if self._policy == "latest":
                    self._skip_oldest(lane)
                else:
                    part = self._skipped(part)
            lane.images += part.frame.image is not None
            lane.parts.append(part)
            self._changed.notify_all()

    def take(self, timeout_s: float) -> QueuedPart | None:
        """The next part, or None where none came in time; look at :attr:`drained` then."""
        with self._changed:
            self._idle = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._empty or self._ended, timeout_s)
            self._idle = False
            for camera, lane in self._lanes.items():
                if lane.parts:
                    part = lane.parts.popleft()
                    if part.frame.image is not None:
                        lane.images -= 1
                        self._lanes[camera] = self._lanes.pop(camera)  # to the end: the others come first now
                    self._changed.notify_all()
                    return part
            return None

    def end(self) -> None:
        """No part comes after this; those that wait can still be taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def drained(self) -> bool:
        """Whether the end has come and every part was taken."""
        with self._changed:
            return self._ended and self._empty

    def _has_room(self, lane: _CameraQueue) -> bool:
        return lane.images < self._capacity or (self._capacity == 0 and self._idle and self._empty)

    @property
    def _empty(self) -> bool:
        return not any(lane.parts for lane in self._lanes.values())

    def _skip_oldest(self, lane: _CameraQueue) -> None:
        """Take the image of the part that waits longest; its place in the order stays."""
        oldest = next(i for i, part in enumerate(lane.parts) if part.frame.image is not None)
        lane.parts[oldest] = self._skipped(lane.parts[oldest])
        lane.images -= 1

    def _skipped(self, part: QueuedPart) -> QueuedPart:
        error = (
            f"overrun: not inspected, {self._capacity} parts were waiting already. "
            "Slow the line down, or choose a faster bundle or machine."
        )
        return dataclasses.replace(
            part, frame=dataclasses.replace(part.frame, image=None, error=error), overrun=True
        )
