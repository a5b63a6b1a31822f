"""What systemd hears of a station."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from edge.station import service_manager


def test_lines_arrive_as_one_datagram(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        service_manager.notify(service_manager.READY, service_manager.status("two\nlines"))
        assert systemd.recv(1000) == b"READY=1\nSTATUS=two lines"


def test_an_address_in_the_abstract_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0anomalygpt-edge-test")
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", "@anomalygpt-edge-test")
        service_manager.notify(service_manager.WATCHDOG)
        assert systemd.recv(1000) == b"WATCHDOG=1"


@pytest.mark.parametrize("address", [None, "", "vsock:2:1", "/nowhere/at/all"])
def test_without_a_service_manager_nothing_happens(
    address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    service_manager.notify(service_manager.READY)
