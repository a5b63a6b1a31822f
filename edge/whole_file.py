"""Files and folders that appear under their names whole or not at all.

What is written has a temporary name beside its own until it is complete. So no crash, full disk or
Ctrl-C leaves half a file that looks like one, and whoever reads meanwhile sees the old file or the new
one. A process that is killed leaves at most a hidden ``*.tmp``. Standard library only: set-up runs
before any package is installed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TEMPORARY_SUFFIX = ".tmp"

# A name may have 255 bytes, and a character up to four of them.
_CHARACTERS_KEPT = 40


@contextmanager
def written_whole(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Gives the temporary name to write to, and renames it to ``path`` when the block ends well.

    Args:
        path: the file; its folder must be there.
        durable: wait until the disk has the content, so that a power cut leaves the old file or the new
            one, never an empty one. The new name is not waited for: that takes as long again.

    Raises:
        OSError: it cannot be written; nothing is left then, and what ``path`` was is untouched.
    """
    writer = f"{os.getpid()}-{threading.get_ident()}"
    part = path.with_name(f".{path.name[:_CHARACTERS_KEPT]}.{writer}{TEMPORARY_SUFFIX}")
    try:
        yield part
        if durable:
            _wait_for_the_disk(part)
        part.replace(path)
    finally:
        with suppress(OSError):  # the reason why it failed is worth more
            part.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | str, *, durable: bool = False) -> None:
    """Writes bytes, or text as UTF-8; see :func:`written_whole`."""
    data = content.encode() if isinstance(content, str) else content
    with written_whole(path, durable=durable) as part:
        part.write_bytes(data)


def publish_folder(folder: Path, target: Path) -> None:
    """Gives a complete folder its name; one that another process made first, with the same content, stays.

    Raises:
        OSError: it cannot be renamed.
    """
    try:
        folder.replace(target)
    except OSError:
        if not target.is_dir():
            raise


def replace_folder(folder: Path, target: Path, aside: Path) -> None:
    """Puts a complete folder in the place of another one, which is moved aside.

    Raises:
        OSError: it cannot be renamed.
    """
    if target.exists():
        target.replace(aside)
    folder.replace(target)


def _wait_for_the_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
