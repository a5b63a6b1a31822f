"""What every camera can do, whatever it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Protocol

from edge.cameras.frame import Frame


class EndOfStream(Exception):
    """The camera has shown its last part. Not an error: a folder or a video file has an end."""


class CameraState(str, Enum):
    """Where a camera is on its way to the next frame.

    A camera that is lost is then backing off until its first image is there again, however often
    it is looked for, opened and configured meanwhile.
    """

    CLOSED = "closed"
    DISCOVERING = "discovering"
    OPENING = "opening"
    CONFIGURING = "configuring"
    STREAMING = "streaming"
    LOST = "lost"
    BACKING_OFF = "backing_off"


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """A camera's health, for ``state`` on MQTT, ``doctor`` and the log.

    Attributes:
        state: where the camera is.
        detail: one sentence: why it is lost or backing off; what it is when it streams.
        frames: good frames since ``open()``.
        errors: frames with an error since ``open()``.
        missed: frames that the camera counted and that never arrived, since ``open()``.
        losses: how often the camera was lost since ``open()``.
    """

    state: CameraState
    detail: str = ""
    frames: int = 0
    errors: int = 0
    missed: int = 0
    losses: int = 0


class Camera(Protocol):
    """A source of frames.

    One thread reads a camera. ``close()`` and ``status`` may be called from any thread, and
    ``close()`` ends a ``read()`` that waits.

    Example:
        >>> with create_camera(settings) as camera:
        ...     frame = camera.read(timeout_s=1.0)
    """

    @property
    def name(self) -> str:
        """The camera's name in the station file."""

    @property
    def status(self) -> CameraStatus:
        """The camera's health, without waiting."""

    def open(self) -> None:
        """Make the camera ready to be read.

        A camera that is configured wrongly raises; a live camera that is merely not there yet
        does not: it is looked for in the background, and ``status`` says why it is missing.

        Raises:
            CameraError: the settings cannot work here, with the remedy.
        """

    def read(self, timeout_s: float) -> Frame | None:
        """The next frame, or None where none came within ``timeout_s`` seconds.

        What cannot be read is a frame with an ``error``, not an exception.

        Raises:
            EndOfStream: there will be no further frame, or the camera was closed.
            CameraError: the camera was never opened, or can never deliver again.
        """

    @property
    def takes_trigger(self) -> bool:
        """Whether :meth:`trigger` can make it take an image."""

    def trigger(self, part_id: str, acquisition: int = 0) -> None:
        """Take one image of this part now; it arrives through :meth:`read` under this id.

        Args:
            part_id: the part's name.
            acquisition: the handshake's number, which the image carries on; 0 without one.

        Raises:
            CameraError: it takes no trigger, is away, or still waits for the image of another part.
        """

    def doubt(self, reason: str, seen_s: float) -> None:
        """A part stood before the camera and no image came: the camera may be lost.

        A live camera that may be silent, and that has been there for more than ``seen_s`` seconds,
        is then opened again; of any other, its own watchdog knows better.
        """

    def close(self) -> None:
        """Release the camera. Closing twice is allowed."""

    def __enter__(self) -> Camera:
        """Open the camera."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the camera."""
