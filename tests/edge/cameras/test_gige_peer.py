"""The same promises against another maker's camera: standard feature names, resends, chunks, lost control."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from edge.cameras.gige import GigESession
from edge.cameras.live import LiveCamera
from edge.cameras.pixel_formats import PIXEL_FORMATS
from edge.errors import CameraError
from tests.edge.cameras.gige_network import GigENetwork
from tests.edge.cameras.gige_reading import camera_with, is_streaming, take, wait_for
from tests.edge.cameras.viva_camera import VivaCamera

pytestmark = pytest.mark.netns


@pytest.fixture
def peer(network: GigENetwork) -> Iterator[Callable[..., VivaCamera]]:
    """Powers the other maker's camera on."""
    pytest.importorskip("viva_genicam", reason="needs viva-genicam: pip install viva-genicam")
    running = []

    def power_on(**options: Any) -> VivaCamera:
        running.append(VivaCamera(network.cameras, **options))
        return running[-1]

    yield power_on
    for camera in running:
        camera.power_off()


def connect(**settings: Any) -> LiveCamera:
    return camera_with(device=VivaCamera.address, **settings)


def statistics_of(camera: LiveCamera) -> dict[str, int]:
    session = camera._session
    assert isinstance(session, GigESession)
    return session.statistics()


Peer = Callable[..., VivaCamera]


def test_a_camera_with_the_standard_names_is_set_and_streams(peer: Peer) -> None:
    peer(fps=50)
    with connect(
        exposure_us=3000, gain=6, region={"width": 320, "height": 240}, pixel_format="Mono8"
    ) as camera:
        frames = take(camera, 20)
        assert "320x240 Mono8, exposure 3000 us" in camera.status.detail
        assert camera.status.errors == camera.status.missed == 0
    assert [frame.frame_id for frame in frames] == list(range(1, 21))
    with pytest.raises(CameraError, match=r"camera.gain 99 .* It takes 0 to 48"):
        connect(gain=99).open()


@pytest.mark.parametrize(
    "name", ["Mono10p", "Mono12p", "Mono12Packed", "Mono16", "BayerGB12p", "RGB8", "YUV422_8"]
)
def test_its_pixel_formats_arrive(peer: Peer, name: str) -> None:
    peer(pixel_format=name, width=128, height=96)
    with connect() as camera:
        frame = take(camera, 1)[0]
        assert name in camera.status.detail
    assert frame.image is not None
    grey = name.startswith("Mono")
    assert frame.image.shape == ((96, 128) if grey else (96, 128, 3))
    assert np.unique(frame.image).size > 50  # its test picture, not a plain area
    assert name in PIXEL_FORMATS


def test_lost_packets_are_asked_for_again_and_the_frames_are_whole(peer: Peer) -> None:
    peer(drop_packets=[(3, 5), (5, 2)])
    with connect() as camera:
        frames = take(camera, 8)
        assert statistics_of(camera)["resent"] == 2
    assert not [frame for frame in frames if frame.error]


def test_without_resend_exactly_the_damaged_frames_are_errors(peer: Peer) -> None:
    peer(drop_packets=[(3, 5), (5, 2)], packet_resend=False)
    with connect(packet_resend=False) as camera:
        frames = take(camera, 8)
    assert [frame.frame_id for frame in frames] == list(range(1, 9))
    assert [frame.frame_id for frame in frames if frame.error] == [3, 5]


def test_chunks_come_with_every_frame(peer: Peer) -> None:
    peer()
    with connect(exposure_us=2500, chunks=["ExposureTime", "FrameID", "Timestamp"]) as camera:
        frames = take(camera, 5)
    for frame in frames:
        assert frame.error == ""
        assert frame.chunks["ExposureTime"] == 2500.0
        assert frame.chunks["FrameID"] == frame.frame_id
    times = [frame.chunks["Timestamp"] for frame in frames]
    assert times == sorted(times)


def test_a_chunk_that_the_camera_does_not_have_is_refused(peer: Peer) -> None:
    peer()
    with pytest.raises(CameraError, match="there is no chunk Humidity"):
        connect(chunks=["Humidity"]).open()


def test_each_software_trigger_reaches_the_camera_once(peer: Peer) -> None:
    camera_itself = peer()
    with connect(trigger={"source": "software", "window_s": 5}) as camera:
        for part in ("A1", "A2", "A3"):
            camera.trigger(part)
            assert take(camera, 1)[0].part_id == part
        assert camera.read(timeout_s=0.3) is None
        assert camera_itself.ask("software_triggers") == 3


def test_control_that_is_taken_away_is_a_loss_even_while_images_go_on(peer: Peer) -> None:
    camera_itself = peer()
    with connect() as camera:
        take(camera, 3)
        camera_itself.ask("revoke_control")
        frames = wait_for(camera, lambda status: status.losses == 1)
        assert "another program took control" in frames[-1].error
        wait_for(camera, is_streaming)
        assert camera_itself.ask("controller")
