"""A network of its own with real GigE Vision peers: two namespaces, one cable, Aravis' fake cameras.

The search for cameras goes out on every interface that is up, so it must never run in the
machine's own network: the test's process steps into a namespace that holds nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[3] / ".cache" / "aravis"
FAKE_CAMERA = "arv-fake-gv-camera-0.8"
ADDRESSES = ("10.77.0.2", "10.77.0.3", "10.77.0.4", "10.77.0.5")
OWN_ADDRESS = "10.77.0.1"
_CLONE_NEWNET = 0x40000000


def need_gige_peers() -> None:
    """Skip the test, with the reason, where the network or its peers cannot be had."""
    if os.geteuid() != 0:
        pytest.skip("making a network namespace needs root")
    try:
        ctypes.CDLL("libaravis-0.8.so.0")
    except OSError:
        pytest.skip("needs libaravis: apt-get install libaravis-0.8-0")
    if fake_camera_program() is None:
        pytest.skip(f"needs {FAKE_CAMERA} of Debian's aravis-tools")


def fake_camera_program() -> Path | None:
    """The fake camera: installed, cached, or unpacked from Debian's package without its desktop."""
    if found := shutil.which(FAKE_CAMERA):
        return Path(found)
    program = CACHE / "tools" / "usr" / "bin" / FAKE_CAMERA
    if not program.exists() and shutil.which("apt-get"):
        CACHE.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(subprocess.CalledProcessError):
            subprocess.run(
                ["apt-get", "download", "aravis-tools"], cwd=CACHE, check=True, capture_output=True
            )
            package = next(CACHE.glob("aravis-tools_*.deb"))
            subprocess.run(["dpkg", "-x", str(package), "tools"], cwd=CACHE, check=True, capture_output=True)
    return program if program.exists() else None


class FakeCamera:
    """One of Aravis' fake cameras as a process on the other end of the cable."""

    def __init__(
        self,
        namespace: str,
        serial: str,
        address: str,
        lost_per_thousand: int = 0,
        genicam: Path | None = None,
    ) -> None:
        program = fake_camera_program()
        assert program is not None
        self._command = ["ip", "netns", "exec", namespace, str(program), "-i", address, "-s", serial]
        self._command += ["-r", str(lost_per_thousand), *(["-g", str(genicam)] if genicam else [])]
        self.serial = serial
        self.address = address
        self._process: subprocess.Popen[bytes] | None = None
        self.power_on()

    def power_on(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.2)
        assert self._process.poll() is None

    def power_off(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


class GigENetwork:
    """The two namespaces and what hangs on them."""

    def __init__(self) -> None:
        self.station = f"edge-station-{os.getpid()}"
        self.cameras = f"edge-cameras-{os.getpid()}"
        self._running: list[FakeCamera] = []

    def build(self) -> None:
        for name in (self.station, self.cameras):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("link", "add", "eth0", "mtu", "9000", "netns", self.station, "type", "veth",
            "peer", "name", "eth0", "mtu", "9000", "netns", self.cameras)  # fmt: skip
        _ip("-n", self.station, "addr", "add", f"{OWN_ADDRESS}/24", "dev", "eth0")
        for address in ADDRESSES:
            _ip("-n", self.cameras, "addr", "add", f"{address}/24", "dev", "eth0")
        self.plug()

    def camera(
        self,
        serial: str = "GV01",
        address: str = ADDRESSES[0],
        lost_per_thousand: int = 0,
        genicam: Path | None = None,
    ) -> FakeCamera:
        """Power a camera on; it goes off with the test."""
        self._running.append(FakeCamera(self.cameras, serial, address, lost_per_thousand, genicam))
        return self._running[-1]

    def plug(self) -> None:
        for name in (self.station, self.cameras):
            _ip("-n", name, "link", "set", "eth0", "up")

    def unplug(self) -> None:
        _ip("-n", self.cameras, "link", "set", "eth0", "down")

    def clear(self) -> None:
        for camera in self._running:
            camera.power_off()
        self._running.clear()
        self.plug()

    def remove(self) -> None:
        for name in (self.station, self.cameras):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread, and every thread it starts, in a network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open() as home, Path("/run/netns", namespace).open() as away:
        if libc.setns(away.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            libc.setns(home.fileno(), _CLONE_NEWNET)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
