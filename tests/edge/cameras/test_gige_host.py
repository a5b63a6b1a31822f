"""Every check of the machine says what it found, and how to put it right where it is wrong."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edge.cameras.gige_host import HostCheck, check_host, check_receive_buffer, reach
from tests.edge.cameras.gige_network import ADDRESSES, OWN_ADDRESS, GigENetwork


def by_name(checks: list[HostCheck]) -> dict[str, HostCheck]:
    return {check.what: check for check in checks}


def test_each_finding_is_good_or_has_a_remedy() -> None:
    checks = check_host()
    assert {"Aravis library", "receive buffer", "raw sockets"} <= set(by_name(checks))
    for check in checks:
        assert check.found
        assert check.good is not bool(check.remedy)


def test_a_small_mtu_is_found_on_the_interface_that_was_named() -> None:
    mtu = int(Path("/sys/class/net/lo/mtu").read_text())
    check = by_name(check_host("lo"))["MTU of lo"]
    assert (check.found, check.good) == (str(mtu), mtu >= 8000)


def test_an_interface_that_is_not_there_says_so() -> None:
    check = by_name(check_host("eth77"))["card eth77"]
    assert not check.good
    assert "no such interface" in check.found


def test_a_receive_buffer_that_is_too_small_comes_with_its_command() -> None:
    check = check_receive_buffer(1 << 40)
    assert not check.good
    assert f"net.core.rmem_max={1 << 40}" in check.remedy
    assert check_receive_buffer(1).good


@pytest.mark.netns
def test_the_way_to_the_camera_is_looked_at_and_each_fault_has_its_command(network: GigENetwork) -> None:
    assert all(check.good for check in check_host("eth0")), check_host("eth0")
    assert reach(ADDRESSES[0]).found == f"{ADDRESSES[0]} is reached through eth0"
    astray = reach("192.168.7.1")
    assert not astray.good
    assert "sudo ip addr add 192.168.7.2/24 dev NAME" in astray.remedy

    def ip(*arguments: str) -> None:
        subprocess.run(["ip", "-n", network.station, *arguments], check=True)

    ip("link", "set", "eth0", "mtu", "1500")
    ip("addr", "flush", "dev", "eth0")
    faults = {check.what: check.remedy for check in check_host("eth0") if not check.good}
    ip("link", "set", "eth0", "mtu", "9000", "down")
    down = by_name(check_host("eth0"))["card eth0"]
    ip("link", "set", "eth0", "up")
    ip("addr", "add", f"{OWN_ADDRESS}/24", "dev", "eth0")
    assert "sudo ip link set eth0 mtu 9000" in faults["MTU of eth0"]
    assert "sudo ip addr add 169.254.1.1/16 dev eth0" in faults["IP of eth0"]
    assert down.remedy == "sudo ip link set eth0 up"
    ip("addr", "add", "10.77.0.9/24", "dev", "lo")
    twice = by_name(check_host("eth0"))["IP of eth0"]
    ip("addr", "del", "10.77.0.9/24", "dev", "lo")
    assert "same subnet as lo" in twice.found
