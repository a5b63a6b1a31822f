"""What can be broken beside the broker: a cable between two namespaces, and a small disk."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

#: The two ends of the cable; two runs at one time shall not meet.
BROKER_ADDRESS, STATION_ADDRESS = (f"10.231.{os.getpid() % 256}.{end}" for end in (1, 2))


class Cable:
    """A cable to a network namespace of its own for the station (needs root). A context manager.

    Attributes:
        prefix: of the command line of what is to run at the far end.
    """

    def __init__(self) -> None:
        self._namespace, self._here, self._there = (f"{name}{os.getpid()}" for name in ("cell", "vb", "vs"))
        self.prefix = ["ip", "netns", "exec", self._namespace]

    def __enter__(self) -> Cable:
        _ip("netns", "add", self._namespace)
        far = ("-n", self._namespace)
        _ip("link", "add", self._here, "type", "veth", "peer", "name", self._there, "netns", self._namespace)
        _ip("addr", "add", f"{BROKER_ADDRESS}/30", "dev", self._here)
        _ip("link", "set", self._here, "up")
        _ip(*far, "link", "set", "lo", "up")
        _ip(*far, "addr", "add", f"{STATION_ADDRESS}/30", "dev", self._there)
        _ip(*far, "link", "set", self._there, "up")
        return self

    def __exit__(self, *exc_info: object) -> None:
        _ip("netns", "del", self._namespace)

    def pull(self) -> None:
        """No reset, no answer, nothing."""
        _ip("link", "set", self._here, "down")

    def plug(self) -> None:
        """The cable is back."""
        _ip("link", "set", self._here, "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int = 16) -> Iterator[Path]:
    """A file system of a few megabytes at this folder (needs root)."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> None:
    """Use up the disk to the last block."""
    with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
