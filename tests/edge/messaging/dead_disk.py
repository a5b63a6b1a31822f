"""A disk that fails every write, for real: the kernel refuses it, and SQLite says *disk I/O error*.

A process whose files may not grow at all can write to none of them; sockets and pipes are not files.
Nothing is mounted and no right is needed.
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator


@contextlib.contextmanager
def dead_disk(pid: int = 0) -> Iterator[None]:
    """No file of this process (or of another one) takes a byte while the block runs."""
    pid = pid or os.getpid()
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
