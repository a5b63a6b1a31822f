"""``python -m tests.edge.station.filtered CALLS PROGRAM …``: a program that may make no other system calls.

CALLS is a file of names. What is not among them gives EPERM, as the station's systemd unit has it, to the
program and to all that it starts.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

LIBRARY = "libseccomp.so.2"
_ALLOW = 0x7FFF0000
_NO_SUCH_CALL = -1  # on this kind of processor


def forbid_all_but(names: list[str]) -> None:
    """Loads the filter into this process; systemd uses the same library."""
    library = ctypes.CDLL(LIBRARY, use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(0x00050000 | errno.EPERM)))
    for name in names:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number != _NO_SUCH_CALL:
            _check(library.seccomp_rule_add(context, ctypes.c_uint32(_ALLOW), number, 0), name)
    _check(library.seccomp_load(context), "load")


def _check(code: int, what: str) -> None:
    if code != 0:
        raise OSError(-code, f"seccomp: {what}: {os.strerror(-code)}")


if __name__ == "__main__":
    forbid_all_but(Path(sys.argv[1]).read_text().split())
    os.execv(sys.argv[2], sys.argv[2:])
