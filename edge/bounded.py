"""Files from outside, read up to a bound: a device never ends, and a file may be larger than the memory."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

SMALL_FILE_BYTES = 1_000_000
"""The most of what a person or this program writes in words: settings, notes, descriptions, passwords."""


@contextmanager
def opened_regular(path: Path) -> Iterator[BinaryIO]:
    """A file of the disk, open for reading; opening a pipe or a device neither waits nor does anything.

    Raises:
        OSError: it cannot be opened, or is something else than a file.
    """
    # Looked at before and after: a device may act on being opened, and what was looked at may be replaced.
    _require_regular(path.stat().st_mode, path)
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
        _require_regular(os.fstat(file.fileno()).st_mode, path)
        yield file


def read_regular(path: Path, most_bytes: int) -> bytes:
    """All of a file of the disk.

    Raises:
        OSError: as :func:`opened_regular`, it is longer than ``most_bytes``, or grows meanwhile.
    """
    with opened_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most_bytes:
            raise _too_large(path, most_bytes)
        data = file.read(size + 1)  # not as much as may be: so much would be set aside first
    if len(data) > size:
        raise OSError(errno.EBUSY, "it is growing while being read", str(path))
    return data


def read_up_to(file: BinaryIO, most_bytes: int, path: Path) -> bytes:
    """All that an open file or pipe holds; ``most_bytes`` are set aside for it.

    Raises:
        OSError: it is longer than ``most_bytes``, or cannot be read.
    """
    data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise _too_large(path, most_bytes)
    return data


def _require_regular(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a device, a pipe or a socket, not a file", str(path))


def _too_large(path: Path, most_bytes: int) -> OSError:
    words = f"{most_bytes / 1e6:g} MB" if most_bytes >= 1_000_000 else f"{most_bytes} bytes"
    return OSError(errno.EFBIG, f"it is larger than {words}", str(path))
