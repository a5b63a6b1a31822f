"""What surrounds every live camera, shown on sessions that do as they are told."""

from __future__ import annotations

import threading
import time
from collections import deque
from datetime import datetime, timezone

import numpy as np
import pytest

from edge.cameras import CameraState, EndOfStream
from edge.cameras.live import LiveCamera
from edge.cameras.session import CameraAwayError, Capture, Report
from edge.errors import CameraError


class ScriptedSession:
    """Delivers what is in its script: captures, losses, silence (None); then ends."""

    description = "scripted"
    no_frame_s: float | None = None

    def __init__(self, *script: Capture | CameraError | None) -> None:
        self._script = deque(script)
        self.closed_by: str | None = None

    def next(self, timeout_s: float) -> Capture | None:  # noqa: ARG002 - a script needs no time
        if not self._script:
            raise EndOfStream
        step = self._script.popleft()
        if isinstance(step, CameraError):
            raise step
        return step

    def trigger(self) -> None:
        raise CameraError("The cable is cut.")

    def close(self) -> None:
        assert self.closed_by is None
        self.closed_by = threading.current_thread().name


class SilentSession(ScriptedSession):
    """Shows what is put into ``seen``, and is silent for as long as there is nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: deque[Capture] = deque()

    def next(self, timeout_s: float) -> Capture | None:
        time.sleep(min(timeout_s, 0.01))
        return self.seen.popleft() if self.seen else None


def capture(frame_id: int, error: str = "", missed: int = 0) -> Capture:
    image = None if error else np.zeros((16, 16), np.uint8)
    return Capture(frame_id, datetime.now(timezone.utc), image, error, missed)


def connecting_to(*sessions: ScriptedSession | CameraError) -> LiveCamera:
    waiting = deque(sessions)

    def connect(report: Report) -> ScriptedSession:
        report(CameraState.OPENING)
        session = waiting.popleft() if waiting else CameraAwayError("Nothing is there.")
        if isinstance(session, CameraError):
            raise session
        return session

    return LiveCamera("top", connect)


def test_frames_are_counted_and_named() -> None:
    with connecting_to(
        ScriptedSession(capture(7), capture(9, missed=1), capture(10, error="half"))
    ) as camera:
        frames = [camera.read(5) for _ in range(3)]
        with pytest.raises(EndOfStream):
            camera.read(5)
        status = camera.status
    assert [frame and frame.part_id.split("-")[-1] for frame in frames] == ["7", "9", "10"]
    assert [bool(frame and frame.error) for frame in frames] == [False, False, True]
    assert (status.frames, status.errors, status.missed, status.losses) == (2, 1, 1, 0)


def test_a_loss_is_torn_down_by_the_cameras_own_thread_and_the_next_session_goes_on() -> None:
    first = ScriptedSession(capture(1), CameraAwayError("The cable is out."))
    second = ScriptedSession(capture(1))
    with connecting_to(first, CameraAwayError("Still out."), second) as camera:
        frames = [camera.read(5) for _ in range(3)]
        assert camera.status.state is CameraState.STREAMING
        assert camera.status.losses == 1
    assert [frame and frame.error for frame in frames] == ["", "Camera top is lost: The cable is out.", ""]
    assert first.closed_by == second.closed_by == "camera-top"


def test_settings_that_cannot_work_are_refused_by_open_and_leave_nothing_behind() -> None:
    camera = connecting_to(CameraError("No such line.", "Set another."))
    with pytest.raises(CameraError, match="No such line"):
        camera.open()
    assert camera.status.state is CameraState.CLOSED


def test_a_camera_whose_settings_stop_working_later_is_away() -> None:
    first = ScriptedSession(capture(1), CameraAwayError("Swapped."))
    with connecting_to(first, CameraError("Another model: no such line.")) as camera:
        camera.read(5)
        lost = camera.read(5)
        assert lost is not None
        assert lost.error
        assert camera.read(timeout_s=0.5) is None
        assert camera.status.state is CameraState.BACKING_OFF


def test_closing_ends_a_waiting_read() -> None:
    camera = connecting_to(CameraAwayError("Nothing is there."))
    camera.open()
    threading.Timer(0.1, camera.close).start()
    with pytest.raises(EndOfStream):
        camera.read(timeout_s=60)


def test_reading_needs_an_open_camera() -> None:
    with pytest.raises(CameraError, match="not open"):
        connecting_to().read(0)


def test_a_trigger_that_fails_leaves_the_camera_free_for_the_next() -> None:
    session = ScriptedSession(None)
    with LiveCamera("top", lambda _report: session, trigger_window_s=5) as camera:
        for _ in range(2):
            with pytest.raises(CameraError, match="The cable is cut"):
                camera.trigger("A1")


def test_a_silent_camera_that_missed_a_part_is_opened_again_and_lost_until_its_next_image(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Behind a line trigger silence is normal; a part that was announced and not seen is the sign."""
    silent, seeing = [SilentSession(), SilentSession()], SilentSession()
    with connecting_to(*silent, seeing) as camera, caplog.at_level("INFO", "edge"):
        for session in silent:
            assert camera.read(timeout_s=0.05) is None
            camera.doubt("it took no image of a part that was announced.", seen_s=60)
            assert session.closed_by is None  # it was not there long enough to have seen that part
            camera.doubt("it took no image of a part that was announced.", seen_s=0)
            while session.closed_by is None:
                assert camera.read(timeout_s=0.05) is None  # the part has its error already
            assert camera.status.state in (CameraState.LOST, CameraState.BACKING_OFF)
        seeing.seen.append(capture(1))
        frame = camera.read(timeout_s=5)
        assert frame is not None
        assert not frame.error
        status = camera.status
    assert (status.state, status.losses, status.errors) == (CameraState.STREAMING, 1, 0)
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "camera top is lost",
        "camera top is back",
    ]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("good_sessions", [0, 1])
def test_a_fault_of_this_program_is_no_silence(good_sessions: int) -> None:
    sessions = [ScriptedSession(CameraAwayError("The cable is out."))] * good_sessions

    def connect(_report: Report) -> ScriptedSession:
        return sessions.pop()  # an IndexError when there is none: nothing that this room would raise

    camera = LiveCamera("top", connect)
    camera.open()
    try:
        with pytest.raises(CameraError, match="has failed"):
            for _ in range(3):
                camera.read(timeout_s=5)
    finally:
        camera.close()
