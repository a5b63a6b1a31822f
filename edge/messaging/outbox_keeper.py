"""Which outbox is in use: the file, or memory while the disk takes nothing.

A dead disk is not silence. What it refuses goes out from memory, in the same order and under numbers
that go on; the station says all the time that it is so. The disk is tried again from time to time, and
takes back what still waits.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Collection
from contextlib import suppress

from edge.errors import MessagingError
from edge.messaging.outbox import Outbox

log = logging.getLogger(__name__)

_FIRST_RETRY_S = 5.0
_LONGEST_RETRY_S = 60.0


class OutboxKeeper:
    """Owns the outbox in use; belongs to the pump's thread.

    Args:
        open_outbox: opens the file, or what stands in for it.

    Attributes:
        outbox: the one in use.
        fault: why it is not the file; empty where it is.

    Raises:
        MessagingError: the file cannot be opened. A station does not start without its disk.
    """

    def __init__(self, open_outbox: Callable[[bool], Outbox]) -> None:
        self._open_outbox = open_outbox
        self.outbox = open_outbox(False)
        self.fault = ""
        self._retry_s = _FIRST_RETRY_S
        self._next_retry_s = 0.0

    def leave_disk(self, error: Exception, acked: Collection[int]) -> None:
        """The disk takes nothing: go on in memory, without the rows that the broker has."""
        broken = self.outbox
        self.outbox = self._open_outbox(True)
        self.outbox.adopt(broken, acked)
        with suppress(sqlite3.Error):
            broken.close()
        said = str(error) if isinstance(error, MessagingError) else f"The outbox cannot be read: {error}."
        self.fault = f"{said} Messages go out from memory, and nothing is kept over a restart."
        self._retry_s = _FIRST_RETRY_S
        self._next_retry_s = time.monotonic() + self._retry_s
        log.error("MQTT outbox: %s", self.fault)

    def return_to_disk(self, acked: Collection[int]) -> bool:
        """Use the file again, where that is due and the disk takes it."""
        if not self.fault or time.monotonic() < self._next_retry_s:
            return False
        try:
            disk = self._open_outbox(False)
        except MessagingError as error:
            self._wait_longer(error)
            return False
        try:
            disk.adopt(self.outbox, acked)
        except (MessagingError, sqlite3.Error) as error:
            with suppress(sqlite3.Error):
                disk.close()
            self._wait_longer(error)
            return False
        self.outbox = disk
        self.fault = ""
        log.info("MQTT outbox: the disk accepts messages again")
        return True

    def close(self) -> None:
        """Close it. What waits in a file stays; what waits in memory is lost, and the log says so."""
        if waiting := 0 if self.outbox.durable else self.outbox.counts().total_rows:
            log.error("MQTT outbox: %d messages are lost: the disk did not accept them", waiting)
        with suppress(sqlite3.Error):
            self.outbox.close()

    def _wait_longer(self, error: Exception) -> None:
        self._retry_s = min(2 * self._retry_s, _LONGEST_RETRY_S)
        self._next_retry_s = time.monotonic() + self._retry_s
        log.debug("the outbox's disk is still not usable: %s", error)
