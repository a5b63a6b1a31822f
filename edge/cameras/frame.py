"""One look at one part, as it leaves a camera."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from edge.image_types import Image


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What a camera saw of one part, or why it saw nothing.

    A frame holds an image or an error, never both and never neither: a frame with an error is
    never scored, it becomes an inspection with verdict ``error``.

    Attributes:
        image: uint8, (H, W) grey or (H, W, 3) BGR, C-contiguous; None where ``error`` is set.
        part_id: the part's name: a file's stem, the trigger's part id, or time and frame id.
        camera: the camera's name in the station file.
        captured_at: when the image was taken or read, timezone-aware UTC; a date for people, since the
            wall clock can be set at any moment.
        frame_id: the camera's own count; wraps where the protocol's does (GigE Vision: 65535 to 1); 0 where
            it is not known, since the packet that carries it was lost before any other had come.
        error: what went wrong and what to do about it, one sentence or two; empty for a good frame.
        missed: frames that the camera counted just before this one and that never arrived.
        lost: this is a frame that the camera counted and that never arrived; the next one follows at once.
        device_time_ns: the camera's own clock, nanoseconds; None where it has none.
        chunks: chunk data that the camera sent with the frame, by GenICam name.
        captured_s: when the image was taken or read, on the monotonic clock; minus infinity where the
            wall clock was set between the camera driver's stamp and its reading.
        acquisition: number of the acquisition that asked for this image; 0 where none did.
        source: which file it is, as it was then; empty where images are not kept apart.
    """

    image: Image | None
    part_id: str
    camera: str
    captured_at: datetime
    frame_id: int
    error: str = ""
    missed: int = 0
    device_time_ns: int | None = None
    chunks: Mapping[str, int | float | str] = dataclasses.field(default_factory=dict)
    lost: bool = False
    captured_s: float = dataclasses.field(default_factory=time.monotonic)
    acquisition: int = 0
    source: str = ""

    def __post_init__(self) -> None:
        if (self.image is None) != bool(self.error):
            raise ValueError("a Frame holds either an image or an error")
