"""Cameras that OpenCV opens: RTSP streams, USB (UVC) cameras and video files.

RTSP runs over TCP, where nothing gets lost inside a frame; a stream that breaks off is a lost
camera. Neither RTSP nor UVC numbers its frames, so the frame id is this room's own count.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from edge.bounded import SMALL_FILE_BYTES, read_regular
from edge.cameras.camera import CameraState, EndOfStream
from edge.cameras.live import LiveCamera
from edge.cameras.session import CameraAwayError, Capture, Report
from edge.cameras.settings import RtspSettings, UvcSettings, VideoSettings
from edge.errors import CameraError
from edge.image_types import Image

if TYPE_CHECKING:
    import cv2

# A stream can be opened only once a key image came, which cameras send every few seconds.
_OPEN_TIMEOUT_MS = 8000
_READ_TIMEOUT_MS = 2000


def rtsp_camera(settings: RtspSettings) -> LiveCamera:
    """The camera that the settings describe, not yet open."""
    return LiveCamera(settings.name, lambda report: _connect_rtsp(settings, report))


def uvc_camera(settings: UvcSettings) -> LiveCamera:
    """The camera that the settings describe, not yet open."""
    return LiveCamera(settings.name, lambda report: _connect_uvc(settings, report))


def video_camera(settings: VideoSettings) -> LiveCamera:
    """The camera that the settings describe, not yet open."""
    return LiveCamera(settings.name, lambda report: _connect_video(settings, report))


def _connect_rtsp(settings: RtspSettings, report: Report) -> StreamSession:
    import cv2

    report(CameraState.OPENING)
    capture = cv2.VideoCapture(
        _with_login(settings),
        cv2.CAP_FFMPEG,
        [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _OPEN_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _READ_TIMEOUT_MS],
    )
    # FFmpeg calls a stream open whose images it has not seen within the time: it knows no size then.
    if not (capture.isOpened() and capture.get(cv2.CAP_PROP_FRAME_WIDTH)):
        capture.release()
        raise CameraAwayError(
            f"{settings.url} cannot be opened.",
            "Check the address, path, user and password, and that the camera is switched on.",
        )
    return StreamSession(capture, settings.url, settings.no_frame_s, settings.buffers)


def _with_login(settings: RtspSettings) -> str:
    if settings.user is None:
        return settings.url
    password = ""
    if settings.password_file is not None:
        try:
            data = read_regular(settings.password_file, SMALL_FILE_BYTES)
            password = data.decode("utf-8", "replace").strip()
        except OSError as error:
            raise CameraError(
                f"camera.password_file {settings.password_file} cannot be read: {error.strerror}.",
                "Give the station's account permission to read it.",
            ) from error
    login = f"{quote(settings.user, safe='')}:{quote(password, safe='')}@"
    return urlsplit(settings.url)._replace(netloc=login + urlsplit(settings.url).netloc).geturl()


def _connect_uvc(settings: UvcSettings, report: Report) -> StreamSession:
    import cv2

    report(CameraState.OPENING)
    if not Path(settings.device).exists():
        raise CameraAwayError(f"There is no {settings.device}.", "Plug the camera in, or set camera.device.")
    capture = cv2.VideoCapture(settings.device, cv2.CAP_V4L2)
    if not capture.isOpened():
        raise CameraAwayError(
            f"{settings.device} cannot be opened.",
            "Close other programs that use it, and add the station's account to the group video.",
        )
    report(CameraState.CONFIGURING)
    wanted = {
        "width": (cv2.CAP_PROP_FRAME_WIDTH, settings.width),
        "height": (cv2.CAP_PROP_FRAME_HEIGHT, settings.height),
        "frame_rate_hz": (cv2.CAP_PROP_FPS, settings.frame_rate_hz),
    }
    for key, (code, value) in wanted.items():
        if value is not None:
            capture.set(code, value)
            made = capture.get(code)
            if abs(made - value) > 0.1 * value:
                capture.release()
                raise CameraError(
                    f"camera.{key}: the camera changed {value:g} to {made:g}.",
                    "Use a value that it offers: v4l2-ctl --list-formats-ext shows it.",
                )
    return StreamSession(capture, settings.device, settings.no_frame_s, settings.buffers)


class StreamSession:
    """A stream that runs whether it is read or not: a thread of its own keeps its newest images.

    What is not read in time gives way to the newer and counts as missed, so that what is
    inspected is what is in front of the camera.
    """

    def __init__(self, capture: cv2.VideoCapture, where: str, no_frame_s: float, buffers: int) -> None:
        self.no_frame_s: float | None = no_frame_s
        self.description = where
        self._capture = capture
        self._images: deque[tuple[datetime, float, Image]] = deque()
        self._buffers = buffers
        self._changed = threading.Condition()
        self._ended = False
        self._taken = 0
        self._missed = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._grab, name=f"grab-{where}", daemon=True)
        self._thread.start()

    def next(self, timeout_s: float) -> Capture | None:
        with self._changed:
            self._changed.wait_for(lambda: self._images or self._ended, timeout_s)
            if not self._images:
                if self._ended:
                    raise CameraAwayError("the stream broke off.", "Check power, cable and network.")
                return None
            captured_at, captured_s, image = self._images.popleft()
            missed, self._missed = self._missed, 0
        self._taken += 1 + missed
        return Capture(self._taken, captured_at, image, missed=missed, captured_s=captured_s)

    def trigger(self) -> None:
        raise CameraError("A stream cannot be triggered.", "Use a GigE Vision camera for that.")

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        self._capture.release()

    def _grab(self) -> None:
        while not self._closing.is_set():
            good, image = self._capture.read()
            with self._changed:
                if not good:
                    self._ended = True
                else:
                    self._images.append((datetime.now(timezone.utc), time.monotonic(), image))
                    if len(self._images) > self._buffers:
                        self._images.popleft()
                        self._missed += 1
                self._changed.notify_all()
            if not good:
                return


def _connect_video(settings: VideoSettings, report: Report) -> VideoSession:
    import cv2

    report(CameraState.OPENING)
    if not settings.path.is_file():
        raise CameraError(f"camera.path {settings.path} is not a file.", "Set it to the video file.")
    capture = cv2.VideoCapture(str(settings.path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise CameraError(
            f"camera.path {settings.path} is not a readable video.", "Check the file; copy it again."
        )
    return VideoSession(capture, settings)


class VideoSession:
    """A video file, frame by frame, each exactly once.

    Decoders fill up the last frame of a file that is cut short, so a frame is shown only when the
    one after it could be read too, or when it is the last that the file announces.
    """

    no_frame_s: float | None = None

    def __init__(self, capture: cv2.VideoCapture, settings: VideoSettings) -> None:
        import cv2

        self.description = str(settings.path)
        self._capture = capture
        self._settings = settings
        self._announced = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self._ahead = self._decode()
        self._shown = 0  # of this run through the file
        self._taken = 0
        self._due = time.monotonic()

    def next(self, timeout_s: float) -> Capture | None:
        wait_s = self._due - time.monotonic()
        if wait_s > 0:
            time.sleep(min(wait_s, timeout_s))
            if wait_s > timeout_s:
                return None
        image = self._ahead
        if image is None:
            raise EndOfStream
        if self._settings.rate_hz:
            self._due = max(self._due + 1 / self._settings.rate_hz, time.monotonic())
        self._taken += 1
        self._shown += 1
        self._ahead = self._decode()
        now = datetime.now(timezone.utc)
        if self._ahead is None and self._shown < self._announced:
            error = (
                f"{self.description} breaks off in frame {self._shown} of {self._announced}. "
                "It is cut short or damaged: copy it again."
            )
            return Capture(self._taken, now, error=error)
        if self._ahead is None and self._settings.loop:
            self._rewind()
        return Capture(self._taken, now, image)

    def trigger(self) -> None:
        raise CameraError("A video file cannot be triggered.", "Use a GigE Vision camera for that.")

    def close(self) -> None:
        self._capture.release()

    def _decode(self) -> Image | None:
        good, image = self._capture.read()
        return image if good else None

    def _rewind(self) -> None:
        import cv2

        self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
        self._shown = 0
        self._ahead = self._decode()
