"""A program's system calls, read for what leaves this machine."""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

_SENDING = "connect,sendto,sendmsg,sendmmsg"
_LONGEST_S = 240
_DNS = 53
# The families that stay inside: unix sockets, the kernel's own, and the end of a connection.
_LOCAL = {"AF_UNIX", "AF_NETLINK", "AF_UNSPEC"}
_RESOLVERS = ("systemd/resolve", "io.systemd.Resolve", "avahi-daemon", "dbus/system_bus_socket")

_PORT = re.compile(r"sin6?_port=htons\((\d+)\)")
_ADDRESS = re.compile(r'inet_(?:addr\(|pton\(AF_INET6?, )"([^"]+)"')


@dataclass(frozen=True)
class Traced:
    """How a traced program ended, and the calls by which something left this machine."""

    code: int
    out: str
    err: str
    outward: list[str]


def need_strace() -> str:
    """The tracer; skips where it is missing or may not trace."""
    found = shutil.which("strace")
    if found is None:
        pytest.skip("needs strace: apt-get install strace")
    tried = subprocess.run(
        [found, "-f", "-o", os.devnull, "true"], capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        pytest.skip(f"strace may not trace here: {tried.stderr.strip()}")
    return found


def trace(words: Sequence[str | Path], log: Path, *, cwd: Path, env: Mapping[str, str]) -> Traced:
    """Runs a program with all that it starts, and reads what they asked of the kernel.

    Args:
        words: program and arguments.
        log: for the calls.
        cwd, env: of the program.
    """
    options = ["-f", "--seccomp-bpf", "-qq", "-e", "signal=none", "-e", f"trace={_SENDING}", "-o", str(log)]
    done = subprocess.run(
        [need_strace(), *options, "--", *map(str, words)],
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LONGEST_S,
        check=False,
    )
    return Traced(done.returncode, done.stdout, done.stderr, list(outward(log.read_text(errors="replace"))))


def outward(log: str) -> Iterator[str]:
    """The calls that name something outside of this machine, or that ask for its name.

    Loopback stays inside, but for name lookups: a resolver there asks others. A lookup by ``nscd`` is not
    told from one of a user's name; where it runs, it hides lookups of names, and what follows them is seen.
    """
    for line in log.splitlines():
        if not all(_stays(part) for part in line.split("sa_family=")[1:]):
            yield line


def _stays(address: str) -> bool:
    """Whether an address, as strace writes it behind ``sa_family=``, is on this machine."""
    family = re.match(r"\w+", address)
    if family is not None and family[0] in _LOCAL:
        return not any(name in address for name in _RESOLVERS)
    port, host = _PORT.search(address), _ADDRESS.search(address)
    if family is None or port is None or host is None:
        return False  # Bluetooth, raw packets, and what nobody has thought of.
    return ipaddress.ip_address(host[1]).is_loopback and int(port[1]) != _DNS
