"""What the station tells systemd: that it is ready, how it is, that it still judges parts, that it ends.

The protocol of ``sd_notify(3)``: lines of text in a datagram to the socket that the environment names.
Without that variable (any other way to start a station) nothing is sent.
"""

from __future__ import annotations

import os
import socket

READY = "READY=1"
STOPPING = "STOPPING=1"
WATCHDOG = "WATCHDOG=1"


def status(text: str) -> str:
    """The line that ``systemctl status`` shows."""
    return f"STATUS={' '.join(text.split())}"


def notify(*lines: str) -> None:
    """Send these lines; waits for nothing, and a service manager that is away is none of our trouble."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.setblocking(False)
        try:
            # An address that begins with @ is in Linux' abstract namespace, where it begins with a zero.
            channel.sendto(
                "\n".join(lines).encode(), address.replace("@", "\0") if address[0] == "@" else address
            )
        except OSError:
            return
