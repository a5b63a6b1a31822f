"""Which files of a watched folder were inspected, also by the runs of the station before this one.

A file counts as inspected once its row is in the records. Before a file is opened its name is noted,
without waiting for the disk: it needs to outlive the process only. What is noted and was not
inspected when the process ended is what may have ended it.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from edge.errors import RecordsError
from edge.records import Records, Sources

log = logging.getLogger(__name__)

#: Files between camera and records: a queue, the engine, and a writer that is behind.
_NOTED = 256
_REWRITE_AT = 4096


class KeptPartMemory:
    """The memory of one folder camera; see :class:`~edge.cameras.folder_listing.PartMemory`.

    Args:
        records: open for writing.
        camera: its name; the sources begin with it.
        again: what was inspected before this start is inspected again.

    Raises:
        RecordsError: what is under way cannot be noted there.
    """

    def __init__(self, records: Records, camera: str, *, again: bool = False) -> None:
        self._records = records
        self._sources = Sources(records.path)
        self._path = records.data_dir / f"under-way-{camera}"
        self._begun: deque[str] = deque(maxlen=_NOTED)
        self._noted = 0
        try:
            suspects = [source for source in _read(self._path) if not self.settled(source)]
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise RecordsError(
                f"{self._path} cannot be written: {error.strerror or error}.",
                "Give the station's account permission to write there.",
            ) from error
        for source in suspects:
            log.warning("camera %s: the station ended while %r was under way", camera, source)
        try:
            records.begin_sources(suspects, f"{camera}:" if again else None)
        except RecordsError as error:
            log.warning("%s", error)  # a full disk: what is noted stays for the next start
        else:
            os.ftruncate(self._file, 0)

    def inspected(self, source: str) -> bool:
        return source in self._begun or self.settled(source)

    def settled(self, source: str) -> bool:
        return self._sources.look_up(source)[0] > 0

    def deaths(self, source: str) -> int:
        return self._sources.look_up(source)[1]

    def begin(self, source: str) -> None:
        self._begun.append(source)
        self._noted += 1
        # On a full disk the file is inspected all the same; only what ended the station stays unknown.
        with contextlib.suppress(OSError):
            if self._noted > _REWRITE_AT:
                self._noted = len(self._begun)
                os.ftruncate(self._file, 0)
                os.write(self._file, "".join(f"{each}\0" for each in self._begun).encode())
            else:
                os.write(self._file, f"{source}\0".encode())

    def forget(self, sources: Iterable[str]) -> None:
        gone = set(sources)
        self._begun = deque((each for each in self._begun if each not in gone), _NOTED)
        try:
            self._records.forget_sources(gone)
        except RecordsError as error:
            log.warning("%s", error)  # they are forgotten with the oldest

    def close(self) -> None:
        """The station ends as it should: nothing that was under way is to blame for it."""
        os.close(self._file)
        self._path.unlink(missing_ok=True)
        self._sources.close()


def _read(path: Path) -> list[str]:
    try:
        noted = path.read_bytes().decode(errors="replace")
    except FileNotFoundError:
        return []
    return list(dict.fromkeys(noted.split("\0")[:-1]))[-_NOTED:]  # what follows the last zero was cut off
