"""One connection to a live camera: what each kind of camera brings."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from edge.cameras.camera import CameraState
from edge.errors import CameraError
from edge.image_types import Image


class CameraAwayError(CameraError):
    """The camera is not there now and may come back by itself."""


@dataclass(frozen=True, slots=True)
class Capture:
    """What a session delivers: a frame that does not know its part yet; fields as in ``Frame``."""

    frame_id: int
    captured_at: datetime
    image: Image | None = None
    error: str = ""
    missed: int = 0
    device_time_ns: int | None = None
    chunks: Mapping[str, int | float | str] = field(default_factory=dict)
    lost: bool = False
    captured_s: float = field(default_factory=time.monotonic)


class CameraSession(Protocol):
    """One connection to a camera. ``next`` is called by one thread; ``trigger`` by any."""

    @property
    def description(self) -> str:
        """What is connected and how it is set, one sentence."""

    @property
    def no_frame_s(self) -> float | None:
        """The camera is lost when it sent nothing for so long; None where silence is normal."""

    def next(self, timeout_s: float) -> Capture | None:
        """The next capture, or None.

        Raises:
            CameraAwayError: the camera is lost.
            EndOfStream: it has shown its last frame.
        """

    def trigger(self) -> None:
        """Take one image now.

        Raises:
            CameraError: the camera cannot be triggered so.
        """

    def close(self) -> None:
        """Release the connection; may take seconds. Called once."""


Report = Callable[[CameraState], None]
Connect = Callable[[Report], CameraSession]
"""Discovers, opens and configures, reporting each state.

Raises CameraAwayError where trying again may help, any other CameraError where it cannot.
"""
