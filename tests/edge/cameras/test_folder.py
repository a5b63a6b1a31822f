"""The folder camera shows every file exactly once (or in a loop), the unreadable ones as errors."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge.cameras import CameraState, EndOfStream, FolderSettings, Frame, create_camera
from edge.cameras.folder import FolderCamera
from edge.errors import CameraError
from tests.edge.cameras.images import encoded, picture, save


def camera_on(folder: Path, **options: object) -> FolderCamera:
    camera = create_camera(FolderSettings.model_validate({"kind": "folder", "path": folder, **options}))
    assert isinstance(camera, FolderCamera)
    return camera


def take(camera: FolderCamera, count: int) -> list[Frame]:
    """So many frames, each of which must come within ten seconds."""
    frames = []
    for _ in range(count):
        frame = camera.read(timeout_s=10)
        assert frame is not None
        frames.append(frame)
    return frames


def state_of(camera: FolderCamera) -> CameraState:
    """Asked anew each time: a type checker takes a property's value for lasting."""
    return camera.status.state


def take_all(camera: FolderCamera) -> list[Frame]:
    frames = []
    try:
        while True:
            frames += take(camera, 1)
    except EndOfStream:
        return frames


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_each_file_is_shown_once_in_the_order_of_names(tmp_path: Path) -> None:
    for index in (2, 0, 1):
        save(tmp_path / f"part_{index}.png", picture(index))
    with camera_on(tmp_path, name="top") as camera:
        frames = take_all(camera)
        with pytest.raises(EndOfStream):
            camera.read(timeout_s=0)
    assert [frame.part_id for frame in frames] == ["part_0", "part_1", "part_2"]
    assert [frame.frame_id for frame in frames] == [1, 2, 3]
    for index, frame in enumerate(frames):
        assert frame.camera == "top"
        assert frame.captured_at.tzinfo is not None
        np.testing.assert_array_equal(frame.image, picture(index))


def test_an_unreadable_file_is_an_error_frame_and_the_run_goes_on(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(encoded(".jpg")[:-200])
    (tmp_path / "c.png").write_bytes(b"")
    save(tmp_path / "d.png", picture()[:1, :1])
    (tmp_path / "e.tif").symlink_to(tmp_path / "gone.tif")
    save(tmp_path / "f.bmp")
    with camera_on(tmp_path) as camera:
        frames = take_all(camera)
        status = camera.status
    assert [(frame.part_id, bool(frame.error)) for frame in frames] == [
        ("a", False), ("b", True), ("c", True), ("d", True), ("e", True), ("f", False),
    ]  # fmt: skip
    for frame, reason in zip(frames[1:5], ["cut short", "empty", "too small", "cannot be read"], strict=True):
        assert reason in frame.error
        assert str(tmp_path) in frame.error
    assert (status.frames, status.errors) == (2, 4)


def test_what_is_no_image_by_name_is_no_part(tmp_path: Path) -> None:
    save(tmp_path / "a.PNG")
    (tmp_path / "notes.txt").write_text("checked on Monday")
    save(tmp_path / ".b.png")
    (tmp_path / "folder.png").mkdir()
    with camera_on(tmp_path) as camera:
        assert [frame.part_id for frame in take_all(camera)] == ["a"]


def test_subfolders_are_read_on_request_and_name_their_parts(tmp_path: Path) -> None:
    (tmp_path / "shift1").mkdir()
    save(tmp_path / "a.png")
    save(tmp_path / "shift1" / "a.png")
    with camera_on(tmp_path) as camera:
        assert [frame.part_id for frame in take_all(camera)] == ["a"]
    with camera_on(tmp_path, subfolders=True) as camera:
        assert [frame.part_id for frame in take_all(camera)] == ["a", "shift1/a"]


def test_files_that_differ_only_in_their_suffix_are_different_parts(tmp_path: Path) -> None:
    for name in ("a.bmp", "a.png", "b.png"):
        save(tmp_path / name)
    with camera_on(tmp_path) as camera:
        assert [frame.part_id for frame in take_all(camera)] == ["a.bmp", "a.png", "b"]


def test_a_loop_starts_again_and_counts_on(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / "b.png")
    with camera_on(tmp_path, loop=True) as camera:
        frames = take(camera, 5)
    assert [frame.part_id for frame in frames] == ["a", "b", "a", "b", "a"]
    assert [frame.frame_id for frame in frames] == [1, 2, 3, 4, 5]


def test_a_rate_holds_parts_back(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    with camera_on(tmp_path, loop=True, rate_hz=0.01) as camera:
        assert camera.read(timeout_s=10) is not None
        assert camera.read(timeout_s=0) is None
        assert camera.read(timeout_s=0.05) is None


def test_a_rate_is_never_exceeded(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    began = time.monotonic()
    with camera_on(tmp_path, loop=True, rate_hz=50) as camera:
        take(camera, 6)
    assert time.monotonic() - began >= 5 / 50


@pytest.mark.parametrize("watch", [False, True])
def test_a_folder_that_is_not_there_is_refused_with_a_remedy(tmp_path: Path, watch: bool) -> None:
    save(tmp_path / "file.png")
    for path, what in ((tmp_path / "nowhere", "does not exist"), (tmp_path / "file.png", "is not a folder")):
        with pytest.raises(CameraError, match=what) as caught:
            camera_on(path, watch=watch).open()
        assert "camera.path" in caught.value.remedy


def test_a_folder_without_images_is_refused_unless_it_is_watched(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="no image in"):
        camera_on(tmp_path).open()
    with camera_on(tmp_path, watch=True) as camera:
        assert camera.read(timeout_s=0) is None


def test_reading_needs_an_open_camera(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    camera = camera_on(tmp_path)
    assert camera.status.state is CameraState.CLOSED
    with pytest.raises(CameraError, match="not open"):
        camera.read(timeout_s=0)


def test_closing_ends_a_waiting_read_and_a_closed_camera_can_be_opened_again(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    camera = camera_on(tmp_path, watch=True)
    camera.open()
    take(camera, 1)
    threading.Timer(0.1, camera.close).start()
    with pytest.raises(EndOfStream):
        camera.read(timeout_s=60)
    camera.close()
    assert state_of(camera) is CameraState.CLOSED
    with camera:
        assert state_of(camera) is CameraState.STREAMING
        assert take(camera, 1)[0].part_id == "a"


def test_a_watched_folder_gives_what_is_there_and_then_what_appears(tmp_path: Path) -> None:
    save(tmp_path / "first.png")
    with camera_on(tmp_path, watch=True, settle_s=0.1) as camera:
        assert take(camera, 1)[0].part_id == "first"
        assert camera.read(timeout_s=0.2) is None
        for name in ("z.png", "a.png"):  # in the order of time, not of names
            save(tmp_path / name)
            time.sleep(0.02)
        assert [frame.part_id for frame in take(camera, 2)] == ["z", "a"]
        assert camera.read(timeout_s=0.2) is None


def test_a_file_is_taken_only_when_it_is_fully_written(tmp_path: Path) -> None:
    data = encoded(".png")
    with camera_on(tmp_path, watch=True, settle_s=0.4) as camera, (tmp_path / "slow.png").open("wb") as file:
        for start in range(0, len(data), len(data) // 5 + 1):
            file.write(data[start : start + len(data) // 5 + 1])
            file.flush()
            assert camera.read(timeout_s=0.1) is None
        frame = take(camera, 1)[0]
    assert frame.part_id == "slow"
    np.testing.assert_array_equal(frame.image, picture())


def test_a_file_written_anew_under_its_name_is_a_new_part(tmp_path: Path) -> None:
    save(tmp_path / "current.png", picture(1))
    with camera_on(tmp_path, watch=True, settle_s=0) as camera:
        np.testing.assert_array_equal(take(camera, 1)[0].image, picture(1))
        save(tmp_path / "next.tmp.png", picture(2)).rename(tmp_path / "current.png")
        np.testing.assert_array_equal(take(camera, 1)[0].image, picture(2))


def test_a_watched_folder_that_goes_is_one_error_frame_and_comes_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "share"
    folder.mkdir()
    save(folder / "a.png")
    with camera_on(folder, watch=True, settle_s=0) as camera, caplog.at_level(logging.INFO):
        take(camera, 1)
        folder.rename(tmp_path / "away")
        lost = take(camera, 1)[0]
        assert "cannot be listed" in lost.error
        assert camera.read(timeout_s=0.3) is None
        assert state_of(camera) is CameraState.LOST
        folder.mkdir()
        save(folder / "b.png")
        assert take(camera, 1)[0].part_id == "b"
        assert state_of(camera) is CameraState.STREAMING
        assert camera.status.losses == 1
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "camera camera is lost",
        "camera camera is back",
    ]
