"""The bounded queue between the camera and the inspector, and what it does when it is full."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Literal

from edge.cameras import Frame

Policy = Literal["wait", "skip"]
"""``wait``: the camera waits for room. ``skip``: the part is not inspected and becomes an error."""


@dataclass(frozen=True, slots=True)
class Part:
    """A frame on its way to the inspector.

    Attributes:
        frame: what the camera saw.
        arrived_s: when it left the camera, on the monotonic clock.
        overrun: true where it was skipped because too many were waiting; its frame holds the error.
    """

    frame: Frame
    arrived_s: float
    overrun: bool = False


class PartQueue:
    """First in, first out, with room for so many images; one thread puts, one thread takes.

    A skipped part keeps its place in the order but not its image, so it takes no room.
    """

    def __init__(self, capacity: int, policy: Policy) -> None:
        self._capacity = capacity
        self._policy = policy
        self._parts: deque[Part] = deque()
        self._images = 0
        self._ended = False
        self._changed = threading.Condition()

    def put(self, frame: Frame) -> None:
        """Add a frame; with the policy ``wait`` this waits for room. Nothing is added after the end."""
        arrived_s = time.monotonic()
        with self._changed:
            if frame.image is not None and self._policy == "wait":
                self._changed.wait_for(lambda: self._images < self._capacity or self._ended)
            if self._ended:
                return
            part = Part(frame, arrived_s)
            if frame.image is not None and self._images >= self._capacity:
                part = self._skipped(part)
            self._images += part.frame.image is not None
            self._parts.append(part)
            self._changed.notify_all()

    def take(self, timeout_s: float) -> Part | None:
        """The next part, or None where none came in time; look at :attr:`drained` then."""
        with self._changed:
            self._changed.wait_for(lambda: self._parts or self._ended, timeout_s)
            if not self._parts:
                return None
            part = self._parts.popleft()
            self._images -= part.frame.image is not None
            self._changed.notify_all()
            return part

    def end(self) -> None:
        """No part comes after this; those that wait can still be taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def drained(self) -> bool:
        """Whether the end has come and every part was taken."""
        with self._changed:
            return self._ended and not self._parts

    def _skipped(self, part: Part) -> Part:
        error = (
            f"overrun: not inspected, {self._images} parts were waiting already. "
            "Slow the line down, or choose a faster bundle or machine."
        )
        return dataclasses.replace(
            part, frame=dataclasses.replace(part.frame, image=None, error=error), overrun=True
        )
