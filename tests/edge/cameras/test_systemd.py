"""The station's systemd unit: valid, shut as far as may be, and open enough for a GigE Vision camera."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.config import StationConfig
from edge.station.deciding import TIMEOUT_S
from edge.terminal.ending import ENDING_S
from tests.edge.cameras.gige_network import GigENetwork
from tests.edge.station.test_confined import under_filter

ROOT = Path(__file__).parents[3]
UNIT = ROOT / "configs" / "systemd" / "anomalygpt-edge@.service"
PROGRAM = "/opt/anomalygpt-edge/.venv/bin/anomalygpt-edge"


def values(key: str) -> list[str]:
    return [line.partition("=")[2] for line in UNIT.read_text().splitlines() if line.startswith(f"{key}=")]


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    assert values("ExecStart")[0].startswith(PROGRAM)
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(PROGRAM, sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert (done.returncode, str(tmp_path) in done.stderr) == (0, False), done.stderr


def test_systemd_waits_longer_than_the_station_needs_to_end_and_to_tell_of_a_hang() -> None:
    assert values("Type") == ["notify"]
    assert float(values("TimeoutStopSec")[0]) > ENDING_S + 5
    hang_s = float(StationConfig.model_fields["verdict"].get_default(call_default_factory=True).hang_s)
    # The language model's own time limit, with the restart of its process, is no reason to restart all.
    assert float(values("WatchdogSec")[0]) > hang_s + 2 * TIMEOUT_S


def exposure(unit: str, folder: Path) -> float:
    """How systemd rates a unit: 0 is shut, 10 open."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    copy = folder / UNIT.name
    copy.write_text(unit.replace(PROGRAM, sys.executable))
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = re.search(r"exposure level for .*: ([0-9.]+)", done.stdout)
    assert said is not None, done.stdout + done.stderr
    return float(said[1])


def test_it_is_exposed_as_little_as_a_camera_and_a_gpu_allow(tmp_path: Path) -> None:
    """What is left open has its reason in the unit."""
    assert exposure(UNIT.read_text(), tmp_path) <= 2.5


def test_what_the_docs_add_for_a_station_without_a_gige_camera_shuts_more(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    (added,) = re.findall(r"```ini\n\[Service\]\n(.*?)```", page, re.DOTALL)
    unit = UNIT.read_text()
    shut = exposure(unit.replace("[Install]", f"{added}\n[Install]"), tmp_path)
    assert shut < exposure(unit, tmp_path)
    assert f"(which brings the rating to {shut})" in page


def test_what_it_writes_is_for_its_group_at_most() -> None:
    assert values("UMask") == ["0027"]


STREAM = """
from edge.cameras import GigESettings, create_camera
from edge.cameras.gige_host import check_raw_sockets
with create_camera(GigESettings(kind="gige", frame_rate_hz=20, socket_buffer_bytes=65536)) as camera:
    frames = [camera.read(5) for _ in range(20)]
print(check_raw_sockets().good, sum(frame is not None and not frame.error for frame in frames))
"""


@pytest.mark.netns
def test_its_capability_and_calls_are_enough_even_with_a_small_socket_buffer(
    network: GigENetwork, tmp_path: Path
) -> None:
    assert values("AmbientCapabilities") == values("CapabilityBoundingSet") == ["CAP_NET_RAW"]
    network.camera()
    only = "-all,+net_raw"
    command = ["setpriv", "--bounding-set", only, "--inh-caps", only, "--no-new-privs"]
    done = subprocess.run(
        [*command, *under_filter(tmp_path, "-c", STREAM)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout == "True 20\n"
