"""A GigE Vision camera that is away, goes, falls silent or is another program's: it comes back by itself."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.cameras import CameraState, CameraStatus, GigESettings
from edge.cameras.gige import _connect
from edge.cameras.live import LiveCamera
from edge.cameras.session import CameraAwayError, CameraSession, Report
from tests.edge.cameras.gige_network import ADDRESSES, GigENetwork
from tests.edge.cameras.gige_reading import camera_with, is_streaming, take, wait_for

pytestmark = pytest.mark.netns


def test_a_camera_that_is_not_there_yet_is_waited_for(network: GigENetwork) -> None:
    with camera_with() as camera:
        assert not is_streaming(camera.status)
        assert "No GigE Vision camera answers" in camera.status.detail
        assert camera.read(timeout_s=0.1) is None
        network.camera()
        take(camera, 1)
        assert camera.status.losses == 0


@pytest.mark.parametrize("how", ["power", "cable", "freeze"])
def test_a_camera_that_goes_is_one_error_frame_and_comes_back_by_itself(
    network: GigENetwork, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    fake = network.camera()
    go: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
        "power": (fake.power_off, fake.power_on),
        "cable": (network.unplug, network.plug),
        "freeze": (fake.freeze, fake.thaw),
    }
    leave, return_ = go[how]
    with camera_with(exposure_us=4000, no_frame_s=1.0) as camera, caplog.at_level(logging.INFO, "edge"):
        take(camera, 3)
        caplog.clear()  # a busy machine's fake may not have answered the first search
        leave()
        frames = wait_for(camera, lambda status: status.losses == 1)
        lost = [frame for frame in frames if frame.error]
        assert len(lost) == 1
        assert "is lost: it sent no image for 1 s" in lost[0].error
        assert camera.read(timeout_s=1) is None
        return_()
        states = set()

        def is_back(status: CameraStatus) -> bool:
            states.add(status.state)
            return is_streaming(status)

        assert not [frame for frame in wait_for(camera, is_back) if frame.error]
        assert states <= {CameraState.LOST, CameraState.BACKING_OFF, CameraState.STREAMING}
        take(camera, 3)
        assert "exposure 4000 us" in camera.status.detail  # set anew: a restarted camera has forgotten
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "camera camera is lost",
        "camera camera is back",
    ]


def test_a_short_cut_of_the_cable_is_survived_and_its_frames_are_counted(network: GigENetwork) -> None:
    network.camera()
    with camera_with(frame_rate_hz=50, no_frame_s=5) as camera:
        take(camera, 3)
        network.unplug()
        time.sleep(0.5)
        network.plug()
        wait_for(camera, lambda status: status.missed + status.errors > 0)
        take(camera, 3)
        assert camera.status.losses == 0


def test_behind_a_line_trigger_every_missed_frame_is_an_error_of_its_own(network: GigENetwork) -> None:
    """Nothing pulls the fake's line, so its trigger is switched off behind the station's back."""
    network.camera()
    line = {"trigger": {"source": "Line0"}, "features": {"TriggerMode": "Off"}}
    with camera_with(**line) as camera:
        frames = take(camera, 3)
        network.unplug()
        time.sleep(0.5)
        network.plug()
        frames += wait_for(camera, lambda status: status.missed > 0)
        frames += take(camera, camera.status.missed + 10)
        status = camera.status
    ids = [frame.frame_id for frame in frames]
    assert ids == [(ids[0] - 1 + index) % 65535 + 1 for index in range(len(ids))]
    lost = [frame for frame in frames if frame.lost]
    assert status.errors >= status.missed == len(lost)
    assert all("never arrived" in frame.error for frame in lost)


def test_a_camera_that_acquires_and_sends_nothing_is_lost_once(
    network: GigENetwork, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing ever pulls the fake's line, while control keeps answering."""
    network.camera()
    silent = camera_with(trigger={"source": "Line0"}, no_frame_s=0.3)
    with silent as camera, caplog.at_level(logging.INFO, "edge"):
        frame = take(camera, 1)[0]
        assert "sent no image for 0.3 s" in frame.error
        assert camera.read(timeout_s=4) is None  # opened again meanwhile, and no better
        assert camera.status.losses == 1
    assert len(caplog.records) == 1


def test_a_triggered_camera_may_be_silent(network: GigENetwork) -> None:
    network.camera()
    with camera_with(trigger={"source": "Line0"}) as camera:
        assert camera.read(timeout_s=2) is None
        assert is_streaming(camera.status)


def test_a_camera_that_vanishes_while_it_is_configured_is_away_and_not_wrong(network: GigENetwork) -> None:
    fake = network.camera()

    def report(state: CameraState) -> None:
        if state is CameraState.CONFIGURING:
            fake.power_off()

    with pytest.raises(CameraAwayError, match="cannot be configured"):
        _connect(GigESettings(kind="gige", exposure_us=3000), report)


def test_a_camera_that_vanished_while_it_was_configured_is_found_again(network: GigENetwork) -> None:
    fake = network.camera()
    settings = GigESettings(kind="gige", exposure_us=3000)
    vanished: list[CameraState] = []

    def connect(report: Report) -> CameraSession:
        def report_and_vanish(state: CameraState) -> None:
            report(state)
            if state is CameraState.CONFIGURING and not vanished:
                vanished.append(state)
                fake.power_off()

        return _connect(settings, report_and_vanish)

    with LiveCamera("camera", connect) as camera:
        assert "Check power, cable and the camera's IP address." in camera.status.detail
        fake.power_on()
        take(camera, 3)
        assert "exposure 3000 us" in camera.status.detail


HOLD = """
import sys, time
from edge.cameras import GigESettings, create_camera
with create_camera(GigESettings(kind="gige")) as camera:
    assert camera.read(10)
    print("streaming", flush=True)
    time.sleep(60)
"""


def test_a_camera_that_a_crash_left_acquiring_sends_to_the_next_station(network: GigENetwork) -> None:
    """It would go on sending to the address of the station that died, and nothing to this one."""
    network.camera()
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", HOLD], cwd=root, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"streaming\n"
        other.kill()
    with camera_with() as camera:
        take(camera, 3)
        assert camera.status.losses == 0


_CLOSE_WHILE_LOSS_IS_TOLD = f"""
import sys, threading, time
from edge.cameras.aravis import ArvCamera

told = threading.Event()
def tell():
    told.set()
    time.sleep(0.5)

camera = ArvCamera("{ADDRESSES[0]}", tell)
print("open", flush=True)
assert told.wait(15)
camera.close()
time.sleep(1)
"""


def test_a_camera_that_is_closed_while_its_loss_is_told_takes_the_program_not_with_it(
    network: GigENetwork,
) -> None:
    fake = network.camera()
    program = subprocess.Popen(
        [sys.executable, "-c", _CLOSE_WHILE_LOSS_IS_TOLD],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "open\n"
    fake.power_off()
    _, complaint = program.communicate(timeout=30)
    assert program.returncode == 0, complaint


@pytest.mark.parametrize("ending", ["terminate", "kill"])
def test_a_camera_that_another_program_controls_is_waited_for_even_when_that_one_crashes(
    network: GigENetwork, ending: str
) -> None:
    network.camera()
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", HOLD], cwd=root, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"streaming\n"
        try:
            with camera_with() as camera:
                assert "another program controls it" in camera.status.detail
                getattr(other, ending)()
                take(camera, 1)
        finally:
            other.kill()
