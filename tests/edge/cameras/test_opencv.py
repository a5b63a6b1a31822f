"""RTSP streams and video files: every frame of a file once, and a stream that comes back by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from edge.cameras import CameraSettings, CameraState, EndOfStream, Frame, create_camera
from edge.cameras.live import LiveCamera
from edge.errors import CameraError
from tests.edge.cameras.rtsp_server import HEIGHT, WIDTH, RtspServer, need_ffmpeg

ADAPTER: TypeAdapter[CameraSettings] = TypeAdapter(CameraSettings)


def camera_with(**settings: Any) -> LiveCamera:
    camera = create_camera(ADAPTER.validate_python(settings))
    assert isinstance(camera, LiveCamera)
    return camera


def take(camera: LiveCamera, count: int) -> list[Frame]:
    """So many frames, good and bad, each within twenty seconds."""
    frames = []
    for _ in range(count):
        frame = camera.read(timeout_s=20)
        assert frame is not None, camera.status
        frames.append(frame)
    return frames


def read_until(camera: LiveCamera, condition: Callable[[Frame | None], bool]) -> Frame | None:
    deadline = time.monotonic() + 40
    while not condition(frame := camera.read(timeout_s=0.1)):
        assert time.monotonic() < deadline, camera.status
    return frame


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames, each of its own grey."""
    path = tmp_path_factory.mktemp("video") / "parts.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for index in range(12):
        writer.write(np.full((48, 64, 3), 20 * index, np.uint8))
    writer.release()
    return path


def greys(frames: list[Frame]) -> list[int]:
    return [round(float(frame.image.mean()) / 20) for frame in frames if frame.image is not None]


def test_a_video_file_shows_each_frame_once_and_ends(video: Path) -> None:
    with camera_with(kind="video", path=video) as camera:
        frames = take(camera, 12)
        with pytest.raises(EndOfStream):
            camera.read(timeout_s=1)
    assert greys(frames) == list(range(12))
    assert [frame.frame_id for frame in frames] == list(range(1, 13))
    assert len({frame.part_id for frame in frames}) == 12
    assert frames[0].image is not None
    assert frames[0].image.shape == (48, 64, 3)


def test_a_looped_video_starts_again(video: Path) -> None:
    with camera_with(kind="video", path=video, loop=True) as camera:
        frames = take(camera, 30)
    assert greys(frames) == [*range(12), *range(12), *range(6)]
    assert frames[-1].frame_id == 30


def test_a_rate_holds_frames_back(video: Path) -> None:
    with camera_with(kind="video", path=video, rate_hz=0.01) as camera:
        take(camera, 1)
        assert camera.read(timeout_s=0.1) is None


def test_a_video_that_is_cut_short_ends_with_an_error_frame_instead_of_half_a_picture(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.avi", tmp_path / "cut.avi"
    writer = cv2.VideoWriter(str(whole), cv2.VideoWriter.fourcc(*"FFV1"), 10, (320, 240))
    pictures = [np.random.default_rng(index).integers(0, 256, (240, 320, 3), np.uint8) for index in range(12)]
    for image in pictures:
        writer.write(image)
    writer.release()
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 4])
    frames = []
    with camera_with(kind="video", path=cut) as camera, pytest.raises(EndOfStream):
        while True:
            frames += take(camera, 1)
    assert 4 < len(frames) < 12
    for frame, image in zip(frames[:-1], pictures, strict=False):
        np.testing.assert_array_equal(frame.image, image)
    assert f"breaks off in frame {len(frames)} of 12" in frames[-1].error
    assert frames[-1].image is None


@pytest.mark.parametrize("content", [None, b"", b"no video at all"])
def test_what_is_no_video_is_refused_with_a_remedy(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "video.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CameraError, match=r"video\.mp4") as caught:
        camera_with(kind="video", path=path).open()
    assert caught.value.remedy


@pytest.fixture
def server() -> Iterator[RtspServer]:
    need_ffmpeg()
    server = RtspServer()
    yield server
    server.stop()


def test_an_rtsp_stream_arrives(server: RtspServer) -> None:
    with camera_with(kind="rtsp", url=server.url) as camera:
        frames = take(camera, 10)
        assert camera.status.state is CameraState.STREAMING
    for frame in frames:
        assert frame.image is not None
        assert frame.image.shape == (HEIGHT, WIDTH, 3)
        assert frame.image.std() > 30  # the test picture's colour bars
    ids = [frame.frame_id for frame in frames]
    assert ids == sorted(set(ids))


def test_a_slow_reader_sees_the_newest_images_and_knows_how_many_it_missed(server: RtspServer) -> None:
    with camera_with(kind="rtsp", url=server.url, buffers=1) as camera:
        first = take(camera, 1)[0]
        time.sleep(1)
        frame = take(camera, 1)[0]
        assert frame.missed > 3
        assert frame.frame_id == first.frame_id + frame.missed + 1
        assert camera.status.missed >= frame.missed


@pytest.mark.parametrize("how", ["stop", "fall_silent"])
def test_a_stream_that_breaks_is_one_error_frame_and_comes_back(server: RtspServer, how: str) -> None:
    with camera_with(kind="rtsp", url=server.url, no_frame_s=1.5) as camera:
        take(camera, 3)
        getattr(server, how)()
        lost = read_until(camera, lambda frame: frame is not None and bool(frame.error))
        assert lost is not None
        assert "is lost" in lost.error
        assert camera.status.losses == 1
        server.stop()
        again = RtspServer(port=server.port)
        try:
            read_until(camera, lambda frame: frame is not None and not frame.error)
            assert camera.status.losses == 1
        finally:
            again.stop()


def test_an_address_that_does_not_answer_is_waited_for() -> None:
    with camera_with(kind="rtsp", url="rtsp://127.0.0.1:9/line") as camera:
        assert camera.status.state is not CameraState.STREAMING
        assert "rtsp://127.0.0.1:9/line cannot be opened" in camera.status.detail
        assert camera.read(timeout_s=0) is None


def test_the_login_reaches_the_camera_and_nobody_else(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    need_ffmpeg()
    server = RtspServer(login="line1:p@ss:word/")
    password = tmp_path / "password"
    password.write_text("p@ss:word/\n")
    try:
        login = {"user": "line1", "password_file": password}
        with camera_with(kind="rtsp", url=server.url, **login) as camera:
            take(camera, 1)
            assert "p@ss" not in camera.status.detail
        with camera_with(kind="rtsp", url=server.url) as camera:
            assert "cannot be opened" in camera.status.detail
        password.write_text("wr@ng")
        with camera_with(kind="rtsp", url=server.url, **login) as camera:
            assert "cannot be opened" in camera.status.detail
        written = "".join([*capfd.readouterr(), caplog.text])
        assert not [secret for secret in ("p@ss", "p%40ss", "wr@ng", "wr%40ng") if secret in written]
        with pytest.raises(CameraError, match=r"password_file .* cannot be read"):
            camera_with(kind="rtsp", url=server.url, user="line1", password_file=tmp_path / "none").open()
    finally:
        server.stop()


def test_a_password_in_the_address_is_refused() -> None:
    with pytest.raises(ValidationError):
        camera_with(kind="rtsp", url="rtsp://line1:secret@host/line")


def test_a_usb_camera_that_is_not_plugged_in_is_waited_for() -> None:
    with camera_with(kind="uvc", device="/dev/video-not-here") as camera:
        assert "There is no /dev/video-not-here" in camera.status.detail
        assert camera.read(timeout_s=0) is None


def test_what_is_no_usb_camera_says_so() -> None:
    with camera_with(kind="uvc", device="/dev/null") as camera:
        assert "/dev/null cannot be opened" in camera.status.detail
