"""The folder camera: image files as parts, once, in a loop, or as they appear.

What has an image's suffix is a part, readable or not; anything else (notes, hidden files,
temporary names) is no part and is left alone.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from types import TracebackType

from edge.cameras.camera import CameraState, CameraStatus, EndOfStream
from edge.cameras.folder_listing import FolderWatch, PartFile, PartMemory, list_parts
from edge.cameras.frame import Frame
from edge.cameras.image_file import IMAGE_SUFFIXES, read_image
from edge.cameras.settings import FolderSettings
from edge.errors import CameraError, FrameError

_log = logging.getLogger(__name__)

_POLL_S = 0.05

#: A file that was under way at so many ends of the station is not opened again.
_DEATHS = 2


class FolderCamera:
    """Images from a folder, as :class:`~edge.cameras.camera.Camera`.

    Once or looped, files come in the order of their names; watched, in the order of their times.
    The frame id counts the parts from 1. ``captured_at`` is the moment of reading, since a file's
    own time says when it was copied as often as when it was taken.
    """

    def __init__(self, settings: FolderSettings) -> None:
        self._settings = settings
        self._closing = threading.Event()
        self._parts: Iterator[PartFile | None] | None = None
        self._due = 0.0
        self._status = CameraStatus(CameraState.CLOSED)
        self._memory: PartMemory | None = None

    def remember(self, memory: PartMemory) -> None:
        """Watched, show only what this memory does not know as inspected; before :meth:`open`."""
        self._memory = memory

    @property
    def name(self) -> str:
        return self._settings.name

    @property
    def status(self) -> CameraStatus:
        if self._closing.is_set():
            return replace(self._status, state=CameraState.CLOSED)
        return self._status

    @property
    def takes_trigger(self) -> bool:
        return False

    def trigger(self, part_id: str, acquisition: int = 0) -> None:  # noqa: ARG002 - the protocol's
        raise CameraError(f"Camera {self.name} cannot be triggered, not even for part {part_id}.")

    def doubt(self, reason: str, seen_s: float) -> None:
        """A folder that shows nothing has nothing to show."""

    def open(self) -> None:
        """Look the folder through.

        Raises:
            CameraError: there is no such folder, or (unless it is watched) no image in it.
        """
        settings, folder = self._settings, self._settings.path
        if not folder.is_dir():
            what = "is not a folder" if folder.exists() else "does not exist"
            raise CameraError(
                f"Camera {self.name}: {folder} {what}.",
                "Set camera.path to the folder that holds the images.",
            )
        try:
            parts = list_parts(folder, settings.subfolders)
        except OSError as error:
            raise CameraError(
                f"Camera {self.name}: {error.filename} cannot be listed: {error.strerror}.",
                "Give the station's account permission to read it.",
            ) from error
        if not parts and not settings.watch:
            raise CameraError(
                f"Camera {self.name}: no image in {folder}.",
                f"Put images there ({' '.join(sorted(IMAGE_SUFFIXES))}), or set camera.subfolders: true.",
            )
        if settings.watch:
            self._parts = iter(
                FolderWatch(folder, settings.subfolders, settings.settle_s, self.name, self._memory)
            )
        else:
            self._parts = itertools.cycle(parts) if settings.loop else iter(parts)
        self._closing.clear()
        self._due = time.monotonic()
        self._status = CameraStatus(CameraState.STREAMING, f"{len(parts)} images in {folder}")

    def read(self, timeout_s: float) -> Frame | None:
        """The next file as a frame; None where it is not due, or none appeared, in time.

        Raises:
            EndOfStream: every file was taken, or the camera was closed.
            CameraError: the camera was never opened.
        """
        parts = self._parts
        if parts is None:
            raise CameraError(f"Camera {self.name} is not open.", "Call open() before read().")
        deadline = time.monotonic() + timeout_s
        self._wait_until(min(self._due, deadline))
        if self._due > deadline:
            return None
        while True:
            try:
                part = next(parts)
            except StopIteration:
                raise EndOfStream from None
            except OSError as error:
                if lost := self._lose(error):
                    return lost
                part = None
            else:
                self._recover()
            if part is not None:
                return self._frame(part)
            now = time.monotonic()
            if now >= deadline:
                return None
            self._wait_until(min(now + _POLL_S, deadline))

    def close(self) -> None:
        self._closing.set()

    def __enter__(self) -> FolderCamera:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wait_until(self, moment: float) -> None:
        if self._closing.wait(max(0.0, moment - time.monotonic())):
            raise EndOfStream

    def _frame(self, part: PartFile) -> Frame:
        if self._settings.rate_hz:
            # A slow reader is not repaid with a burst: the rate is an upper bound.
            self._due = max(self._due + 1 / self._settings.rate_hz, time.monotonic())
        if self._memory is not None:
            if part.doubtful and (deaths := self._memory.deaths(part.source)) >= _DEATHS:
                return self._error_frame(part.part_id, _skipped(part, deaths), part.source)
            self._memory.begin(part.source)
        began_s, began_at = time.monotonic(), datetime.now(timezone.utc)
        try:
            image = read_image(part.path)
        except FrameError as error:
            return self._error_frame(part.part_id, str(error), part.source)
        self._status = replace(self._status, frames=self._status.frames + 1)
        return Frame(
            image,
            part.part_id,
            self.name,
            began_at,
            self._frame_id(),
            captured_s=began_s,
            source=part.source,
        )

    def _error_frame(self, part_id: str, error: str, source: str = "") -> Frame:
        self._status = replace(self._status, errors=self._status.errors + 1)
        now = datetime.now(timezone.utc)
        return Frame(None, part_id, self.name, now, self._frame_id(), error, source=source)

    def _frame_id(self) -> int:
        return self._status.frames + self._status.errors

    def _lose(self, error: OSError) -> Frame | None:
        """One log line and one error frame when a watched folder goes; then silence until it is back."""
        if self._status.state is CameraState.LOST:
            return None
        detail = f"{self._settings.path} cannot be listed: {error.strerror}."
        _log.warning("camera %s is lost: %s", self.name, detail)
        self._status = replace(
            self._status, state=CameraState.LOST, detail=detail, losses=self._status.losses + 1
        )
        text = f"Camera {self.name} is lost: {detail} Bring the folder back; the camera goes on by itself."
        return self._error_frame(f"{self.name}-lost", text)

    def _recover(self) -> None:
        if self._status.state is CameraState.LOST:
            _log.warning("camera %s is back", self.name)
            self._status = replace(self._status, state=CameraState.STREAMING, detail=str(self._settings.path))


def _skipped(part: PartFile, deaths: int) -> str:
    return (
        f"Not inspected: the station ended {deaths} times while {part.path} was under way. "
        "Look at the file and at the log; write it anew to have it inspected."
    )
