"""What outlives the outbox: how far its numbers may have gone, and what the broker keeps of them.

A PLC drops what is not numbered above what it has seen. An outbox that begins anew, because its file
was damaged, must therefore go on above every number that the old one can have given. This small file
beside it says from where: it is written before the numbers are used, a block of them at a time.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from edge.whole_file import write_whole

log = logging.getLogger(__name__)

#: Numbers that one writing of the file covers.
BLOCK = 1000


class Ledger:
    """The file. Belongs to the thread of the outbox.

    Attributes:
        marks: by the name of a numbering, a number that is not below any that was given.
        retained: by topic, the latest payload that the broker keeps.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._trouble = False
        self.marks: dict[str, int] = {}
        self.retained: dict[str, str] = {}
        try:
            content = json.loads(path.read_bytes())
            self.marks = {str(name): int(mark) for name, mark in content["marks"].items()}
            self.retained = {str(topic): str(payload) for topic, payload in content["retained"].items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("the outbox's ledger %s cannot be read: %s", path, error)

    def cover(self, name: str, number: int) -> None:
        """``number`` is about to be given."""
        if number > self.marks.get(name, 0):
            self.marks[name] = number + BLOCK
            self._write()

    def keep(self, topic: str, payload: bytes) -> None:
        """The broker is about to be given this payload to keep."""
        if self.retained.get(topic) != payload.decode():
            self.retained[topic] = payload.decode()
            self._write()

    def take_over(self, other: Ledger) -> None:
        """Say all that another one says too: the disk may not have taken it."""
        marks = {name: max(mark, self.marks.get(name, 0)) for name, mark in other.marks.items()}
        if {**self.marks, **marks} != self.marks or {**self.retained, **other.retained} != self.retained:
            self.marks.update(marks)
            self.retained.update(other.retained)
            self._write()

    def _write(self) -> None:
        """Replace the file. Where the disk does not take it, what it says stays in memory."""
        content: dict[str, Any] = {"marks": self.marks, "retained": self.retained}
        try:
            write_whole(self._path, json.dumps(content), durable=True)
        except OSError as error:
            if not self._trouble:
                log.warning("the outbox's ledger %s cannot be written: %s", self._path, error)
            self._trouble = True
        else:
            self._trouble = False
