"""Every check of the machine says what it found, and how to put it right where it is wrong."""

from __future__ import annotations

from pathlib import Path

from edge.cameras.gige_host import HostCheck, check_host, check_receive_buffer


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
    check = by_name(check_host("eth77"))["MTU of eth77"]
    assert not check.good
    assert "no such interface" in check.found


def test_a_receive_buffer_that_is_too_small_comes_with_its_command() -> None:
    check = check_receive_buffer(1 << 40)
    assert not check.good
    assert f"net.core.rmem_max={1 << 40}" in check.remedy
    assert check_receive_buffer(1).good
