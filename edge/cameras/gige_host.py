"""Whether this machine is fit to receive GigE Vision: what ``doctor`` looks at."""

from __future__ import annotations

import ctypes
import ipaddress
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import psutil

from edge.cameras.aravis_library import LIBRARY

NEEDED_RMEM_BYTES = 4 << 20
_JUMBO_MTU = 8000
_GIGABIT = 1000  # Mbit/s
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
    checks = [_library(), check_receive_buffer(NEEDED_RMEM_BYTES), check_raw_sockets()]
    names = [interface] if interface else _wired_interfaces()
    if not names:
        remedy = "Plug the camera in and look with `ip -br link`; sudo ip link set NAME up"
        return [*checks, HostCheck("network card", False, "no wired interface is up", remedy)]
    for name in names:
        if name in psutil.net_if_stats():
            checks += [_card(name), _address(name), _mtu(name)]
        else:
            remedy = f"Name one of these: {', '.join(sorted(psutil.net_if_stats()))}"
            checks.append(HostCheck(f"card {name}", False, "there is no such interface", remedy))
    return checks


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


def _card(interface: str) -> HostCheck:
    what = f"card {interface}"
    stats = psutil.net_if_stats()[interface]
    if not stats.isup:
        return HostCheck(what, False, "is down", f"sudo ip link set {interface} up")
    # A virtual interface has no speed of its own.
    if 0 < stats.speed < _GIGABIT:
        remedy = f"Use a Gigabit card and cable; look with: sudo ethtool {interface}"
        return HostCheck(what, False, f"runs at {stats.speed} Mbit/s", remedy)
    return HostCheck(what, True, f"{stats.speed} Mbit/s" if stats.speed else "up, of unknown speed")


def _address(interface: str) -> HostCheck:
    """Cameras answer in their own subnet alone; of two interfaces in one subnet only one is answered."""
    what = f"IP of {interface}"
    networks = _networks()
    own = networks.get(interface, [])
    if not own:
        remedy = (
            f"sudo ip addr add 169.254.1.1/16 dev {interface}, for cameras without an address of their own; "
            "else one in the camera's subnet, which `anomalygpt-edge cameras` shows"
        )
        return HostCheck(what, False, "has no IPv4 address", remedy)
    for other, theirs in networks.items():
        if other != interface and any(a.network.overlaps(b.network) for a in own for b in theirs):
            remedy = f"Give {interface} and {other} different subnets: sudo ip addr add ... dev {interface}"
            return HostCheck(what, False, f"{own[0]} is in the same subnet as {other}", remedy)
    return HostCheck(what, True, ", ".join(str(address) for address in own))


def _networks() -> dict[str, list[ipaddress.IPv4Interface]]:
    """The IPv4 addresses of each interface, with their networks."""
    return {
        interface: [
            ipaddress.IPv4Interface(f"{address.address}/{address.netmask}")
            for address in addresses
            if address.family is socket.AF_INET and address.netmask
        ]
        for interface, addresses in psutil.net_if_addrs().items()
    }


def is_address(device: str | None) -> TypeGuard[str]:
    """Whether a camera is named by its IPv4 address."""
    try:
        ipaddress.IPv4Address(device or "")
    except ValueError:
        return False
    return True


def reach(address: str) -> HostCheck:
    """Whether a camera's address is in a subnet of this machine."""
    wanted = ipaddress.IPv4Address(address)
    for interface, own in _networks().items():
        if any(wanted in one.network for one in own):
            return HostCheck("route", True, f"{address} is reached through {interface}")
    network = ipaddress.IPv4Interface(f"{address}/24").network
    spare = next(host for host in network.hosts() if host != wanted)
    remedy = (
        f"Give the interface an address there, or the camera another: sudo ip addr add {spare}/24 dev NAME"
    )
    return HostCheck("route", False, f"{address} is in no subnet of this machine", remedy)


def _mtu(interface: str) -> HostCheck:
    what = f"MTU of {interface}"
    mtu = psutil.net_if_stats()[interface].mtu
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
