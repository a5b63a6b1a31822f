"""A GigE Vision camera over its real protocol: settings, whole frames, none lost unnoticed, triggers."""

from __future__ import annotations

import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.cameras.aravis import Device
from edge.cameras.gige import GigESession, choose_device, list_cameras
from edge.cameras.gige_host import NEEDED_RMEM_BYTES, check_receive_buffer
from edge.cameras.session import CameraAwayError
from edge.errors import CameraError
from tests.edge.cameras.gige_network import ADDRESSES, GigENetwork
from tests.edge.cameras.gige_reading import camera_with, is_streaming, take, wait_for
from tests.edge.cameras.richer_camera import write_description

pytestmark = pytest.mark.netns


def test_cameras_on_the_network_are_listed(network: GigENetwork) -> None:
    network.camera("GV01", ADDRESSES[0])
    network.camera("GV02", ADDRESSES[1])
    listed = list_cameras()
    assert sorted((entry.device.serial, entry.device.address, entry.trouble) for entry in listed) == [
        ("GV01", ADDRESSES[0], ""),
        ("GV02", ADDRESSES[1], ""),
    ]


@pytest.mark.parametrize("device", ["GV02", ADDRESSES[1], "Aravis-Fake-GV02", "aravis-fake-gv02"])
def test_a_camera_is_found_by_serial_address_or_id(network: GigENetwork, device: str) -> None:
    network.camera("GV01", ADDRESSES[0])
    network.camera("GV02", ADDRESSES[1])
    with camera_with(device=device) as camera:
        take(camera, 1)
        assert "GV02" in camera.status.detail


def test_settings_reach_the_camera_and_are_read_back(network: GigENetwork) -> None:
    network.camera()
    settings = {
        "exposure_us": 5000,
        "gain": 2,
        "frame_rate_hz": 100,
        "pixel_format": "Mono8",
        "region": {"x": 8, "y": 16, "width": 640, "height": 480},
        "features": {"TestRegister": 7, "TestBoolean": True},
    }
    with camera_with(**settings) as camera:
        frame = take(camera, 1)[0]
        detail = camera.status.detail
    assert frame.image is not None
    assert frame.image.shape == (480, 640)
    assert frame.device_time_ns
    assert detail == "Aravis Fake GV01, 640x480 Mono8, exposure 5000 us, packets of 9000 bytes"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"exposure_us": 1e12}, "camera.exposure_us 1e[+]12 .* It takes 10 to 1e[+]07"),
        ({"gain": 99}, "camera.gain 99 .* It takes 0 to 10"),
        ({"frame_rate_hz": 5000}, "camera.frame_rate_hz 5000 .* It takes 0.1 to 1000"),
        ({"pixel_format": "Mono12"}, "Mono12 is not offered .* BayerBG8, .* RGB8"),
        ({"region": {"width": 4000, "height": 100}}, "region.width 4000 .* 1 to 2048 in steps of 1"),
        ({"trigger": {"source": "Line7"}}, "Line7 is not a trigger .* Line0, software, and free"),
        (
            {"trigger": {"source": "Line0", "activation": "FallingEdge"}},
            "refuses TriggerActivation FallingEdge",
        ),
        (
            {"trigger": {"source": "Line0"}, "frame_rate_hz": 5},
            "frame_rate_hz applies only to a free-running camera",
        ),
        ({"trigger": {"source": "Line0", "delay_us": 5}}, "trigger.delay_us: the camera has no such setting"),
        ({"ptp": True}, "camera.ptp: the camera has no such setting"),
        ({"strobe_line": "Line2"}, "no feature LineSelector"),
        ({"features": {"Flux": 1}}, "no feature Flux"),
        ({"features": {"GainRaw": 77}}, "refuses GainRaw 77: .* maximum '10'"),
    ],
)
def test_a_setting_that_the_camera_does_not_take_is_refused_with_what_it_takes(
    network: GigENetwork, settings: dict[str, Any], message: str
) -> None:
    network.camera()
    with pytest.raises(CameraError, match=message):
        open_until_it_answers(settings)


def test_edge_delay_strobe_and_ptp_reach_a_camera_that_has_them(network: GigENetwork, tmp_path: Path) -> None:
    network.camera(genicam=write_description(tmp_path / "richer.xml"))
    trigger = {"source": "Line0", "activation": "FallingEdge", "delay_us": 250}
    with camera_with(trigger=trigger, strobe_line="Line2", ptp=True) as camera:
        wait_for(camera, is_streaming)
        session = camera._session
        assert isinstance(session, GigESession)
        made = {name: session._camera.get_feature(name) for name in RICHER}
    assert made == RICHER
    with pytest.raises(CameraError, match=r"TriggerDelay 2000000\.0: .* maximum"):
        open_until_it_answers({"trigger": trigger | {"delay_us": 2e6}})


def open_until_it_answers(settings: dict[str, Any]) -> None:
    """A fake that shares a busy machine does not always answer a search in its second."""
    for _ in range(5):
        with camera_with(**settings):
            pass


RICHER = {
    "TriggerMode": "On",
    "TriggerSource": "Line0",
    "TriggerActivation": "FallingEdge",
    "TriggerDelay": "250",
    "LineSelector": "Line2",
    "LineMode": "Output",
    "LineSource": "ExposureActive",
    "PtpEnable": "true",
}


def test_frames_arrive_in_order_across_the_wrap_of_their_ids_and_none_is_lost_unnoticed(
    network: GigENetwork,
) -> None:
    """The fake camera starts some hundred frames before the wrap."""
    network.camera()
    region = {"width": 256, "height": 256}
    with camera_with(frame_rate_hz=100, region=region, packet_size_bytes=9000) as camera:
        frames = take(camera, 300)
        status = camera.status
    ids = [frame.frame_id for frame in frames]
    assert ids[0] > ids[-1] >= 1
    assert 0 not in ids
    gaps = [(after - before - 1) % 65535 for before, after in itertools.pairwise(ids)]
    assert (
        sum(gaps) == status.missed <= 30
    )  # a busy machine loses some; an id that goes back would be a huge gap
    assert status.frames + status.errors == 300
    assert status.frames >= 270
    assert len({frame.part_id for frame in frames}) == 300


def test_colours_are_the_same_through_every_format(network: GigENetwork) -> None:
    network.camera()
    region = {"width": 512, "height": 512}
    means = {}
    for name in ("RGB8", "BayerRG8", "BayerGR8", "BayerGB8", "BayerBG8"):
        with camera_with(pixel_format=name, region=region) as camera:
            image = take(camera, 1)[0].image
        assert image is not None
        means[name] = image.reshape(-1, 3).mean(0)
    for name, mean in means.items():
        np.testing.assert_allclose(mean, means["RGB8"], atol=3, err_msg=name)


def test_mono16_and_mono8_show_the_same(network: GigENetwork) -> None:
    network.camera()
    region = {"width": 512, "height": 512}
    images = []
    for name in ("Mono8", "Mono16"):
        with camera_with(pixel_format=name, region=region) as camera:
            image = take(camera, 1)[0].image
        assert image is not None
        assert image.shape == (512, 512)
        images.append(np.bincount(image.reshape(-1), minlength=256))
    assert np.abs(images[0] - images[1]).sum() / images[0].sum() < 0.1


@pytest.mark.parametrize("lost_per_thousand", [0, 1, 10, 50])
@pytest.mark.parametrize("side", [160, 512])  # of 181 packets with 50 per thousand lost, no frame is whole
def test_no_partial_frame_is_scored_and_the_counters_are_those_of_aravis(
    network: GigENetwork, lost_per_thousand: int, side: int
) -> None:
    fake = network.camera(lost_per_thousand=lost_per_thousand)
    camera = camera_with(
        frame_rate_hz=100,
        region={"width": side, "height": side},
        packet_size_bytes=1500,
        packet_resend=False,
        no_frame_s=10,
    )
    with camera:
        frames = take(camera, 150)
        fake.freeze()
        while (frame := camera.read(timeout_s=0.7)) is not None:
            frames.append(frame)
        session = camera._session
        assert isinstance(session, GigESession)
        statistics, status = session.statistics(), camera.status
        fake.thaw()
    bad = [frame for frame in frames if frame.error]
    assert all(frame.image is None and "incomplete" in frame.error for frame in bad)
    assert (status.frames, status.errors) == (statistics["completed"], statistics["failed"])
    assert (len(frames), len(bad)) == (status.frames + status.errors, status.errors)
    assert bool(bad) == bool(lost_per_thousand) or lost_per_thousand == 1
    # Also of a frame whose first packet, which carries its id, was lost; before the first id it is 0.
    ids = [frame.frame_id for frame in frames if frame.frame_id]
    assert all(frame.error for frame in frames if not frame.frame_id)
    assert sum((after - before - 1) % 65535 for before, after in itertools.pairwise(ids)) == status.missed


WITHOUT_RAW_SOCKETS = ["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw"]
COUNT = """
from edge.cameras import GigESettings, create_camera
region = {"width": 1024, "height": 1024}
with create_camera(GigESettings(kind="gige", frame_rate_hz=20, region=region)) as camera:
    frames = [camera.read(5) for _ in range(40)]
    print(sum(frame is not None and not frame.error for frame in frames))
"""


def test_frames_arrive_without_raw_sockets_too(network: GigENetwork) -> None:
    if not check_receive_buffer(NEEDED_RMEM_BYTES).good:
        pytest.skip("needs net.core.rmem_max of 4 MiB")
    network.camera()
    command = [*WITHOUT_RAW_SOCKETS, sys.executable, "-c", COUNT]
    counted = subprocess.run(command, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE, check=True)
    assert int(counted.stdout) >= 38


def test_a_software_trigger_takes_exactly_the_part_it_names(network: GigENetwork) -> None:
    network.camera()
    with camera_with(trigger={"source": "software", "window_s": 5}) as camera:
        assert camera.read(timeout_s=0.3) is None
        for part in ("A1", "A2", "A3"):
            camera.trigger(part)
            frame = take(camera, 1)[0]
            assert (frame.part_id, frame.error) == (part, "")
        camera.trigger("B1")
        with pytest.raises(CameraError, match="still waiting for the image of part B1"):
            camera.trigger("B2")
        assert take(camera, 1)[0].part_id == "B1"


def test_an_image_that_comes_too_late_is_nobodys(network: GigENetwork) -> None:
    network.camera()
    with camera_with(trigger={"source": "software", "window_s": 0.001}) as camera:
        camera.trigger("A1")
        frames = {frame.part_id == "A1": frame.error for frame in take(camera, 2)}
    assert "no image in time after the trigger" in frames[True]
    assert "no trigger asked for" in frames[False]


def test_a_camera_without_software_trigger_refuses_one(network: GigENetwork) -> None:
    network.camera()
    with camera_with() as camera, pytest.raises(CameraError, match="does not accept software triggers"):
        camera.trigger("A1")


def test_several_cameras_stream_side_by_side(network: GigENetwork) -> None:
    """Each read by a thread of its own. A fake that starts to acquire and sends nothing is opened again."""
    serials = ["GV01", "GV02", "GV03"]
    for serial, address in zip(serials, ADDRESSES, strict=False):
        network.camera(serial, address)

    def good_frames(serial: str) -> list[str]:
        with camera_with(device=serial, name=serial, frame_rate_hz=20) as camera:
            wait_for(camera, lambda status: status.frames >= 10)
            assert is_streaming(camera.status)
            assert serial in camera.status.detail
            return [frame.camera for frame in take(camera, 10)]

    with ThreadPoolExecutor(len(serials)) as threads:
        seen = list(threads.map(good_frames, serials))
    assert seen == [[serial] * 10 for serial in serials]


def device(serial: str, address: str = "192.0.2.7", mac: str = "00:11:22:33:44:55") -> Device:
    return Device(f"Maker-Model-{serial}", mac, address, "Maker", "Model", serial)


@pytest.mark.parametrize(
    ("wanted", "devices", "expected"),
    [
        (None, [device("1")], "Maker-Model-1"),
        ("00:11:22:33:44:AA", [device("1"), device("2", mac="00:11:22:33:44:aa")], "Maker-Model-2"),
        ("left-top", [device("1")], "left-top"),  # perhaps the user-defined name, which answers do not show
    ],
)
def test_the_camera_meant_is_chosen(wanted: str | None, devices: list[Device], expected: str) -> None:
    assert choose_device(wanted, devices) == expected


def test_a_choice_that_is_not_clear_names_the_candidates() -> None:
    with pytest.raises(CameraError, match=r"2 cameras match: 1 \(Model, 192.0.2.7\), 2"):
        choose_device(None, [device("1"), device("2")])
    with pytest.raises(CameraAwayError):
        choose_device(None, [])
