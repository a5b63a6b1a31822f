"""Whether this machine is fit to receive GigE Vision: what ``doctor`` looks at."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

from edge.cameras.aravis import LIBRARY

NEEDED_RMEM_BYTES = 4 << 20
_JUMBO_MTU = 8000
_CAP_NET_RAW = 13
_ARPHRD_ETHER = "1"


@dataclass(frozen=True, slots=True)
class HostCheck:
    """One thing that receiving depends on.

    Attributes:
        what: its name.
        good: whether it is as it should be.
        found: what is there.
        remedy: the command that puts it right; empty where it is.
    """

    what: str
    good: bool
    found: str
    remedy: str = ""


def check_host(interface: str | None = None) -> list[HostCheck]:
    """What this machine lacks for GigE Vision, each with its exact remedy.

    Args:
        interface: the network interface towards the cameras; default: every wired one that is up.
    """
    names = [interface] if interface else _wired_interfaces()
    return [_library(), check_receive_buffer(NEEDED_RMEM_BYTES), check_raw_sockets(), *map(_mtu, names)]


def _library() -> HostCheck:
    what = "Aravis library"
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return HostCheck(what, False, f"{LIBRARY} is missing", "sudo apt-get install libaravis-0.8-0")
    return HostCheck(what, True, LIBRARY)


def check_receive_buffer(needed_bytes: int) -> HostCheck:
    """Whether a socket may have a buffer of this size: the kernel cuts a larger one down in silence."""
    size = int(Path("/proc/sys/net/core/rmem_max").read_text())
    found = f"net.core.rmem_max = {size}"
    if size >= needed_bytes:
        return HostCheck("receive buffer", True, found)
    remedy = (
        f"echo 'net.core.rmem_max={needed_bytes}' | sudo tee /etc/sysctl.d/60-gige-vision.conf "
        "&& sudo sysctl --system"
    )
    return HostCheck("receive buffer", False, found, remedy)


def check_raw_sockets() -> HostCheck:
    """CAP_NET_RAW lets Aravis read packets from a ring, past the socket: fewer get lost under load."""
    status = Path("/proc/self/status").read_text()
    effective = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff"))
    if effective >> _CAP_NET_RAW & 1:
        return HostCheck("raw sockets", True, "CAP_NET_RAW is there")
    remedy = "in the service's unit: AmbientCapabilities=CAP_NET_RAW and CapabilityBoundingSet=CAP_NET_RAW"
    return HostCheck("raw sockets", False, f"CAP_NET_RAW is missing (user {os.getuid()})", remedy)


def _mtu(interface: str) -> HostCheck:
    what = f"MTU of {interface}"
    path = Path("/sys/class/net", interface, "mtu")
    if not path.exists():
        return HostCheck(what, False, "there is no such interface", "Name one that `ip link` shows.")
    mtu = int(path.read_text())
    if mtu >= _JUMBO_MTU:
        return HostCheck(what, True, str(mtu))
    remedy = f"sudo ip link set {interface} mtu 9000, if camera, switch and card all take it"
    return HostCheck(what, False, str(mtu), remedy)


def _wired_interfaces() -> list[str]:
    def is_wired_and_up(folder: Path) -> bool:
        return (
            (folder / "device").exists()
            and not (folder / "wireless").exists()
            and (folder / "type").read_text().strip() == _ARPHRD_ETHER
            and (folder / "operstate").read_text().strip() == "up"
        )

    return sorted(folder.name for folder in Path("/sys/class/net").iterdir() if is_wired_and_up(folder))
