"""The writer: what the inspector has judged goes to the records and to the outbox, off its path.

Order per batch: the records' rows are committed, then the outbox, then the listeners hear of it.
After a crash the records therefore hold every inspection that the outbox holds, and what the
outbox lacks is given to it again from the records (see :mod:`edge.station.pipeline`).
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Sequence

from edge.errors import EdgeError
from edge.messaging import Publisher
from edge.records import Entry, Records
from edge.station.health import Health, Level
from edge.station.judging import Judged

log = logging.getLogger(__name__)

Listener = Callable[[Judged], None]
"""Told of every inspection once it is kept, in order, in the writer's thread; it must be quick."""

_BATCH = 32
_RETRY_S = 1.0

#: Inspections that wait in memory for a disk that takes none: hours of a line, some 10 MB.
_BACKLOG = 10_000

#: Parts whose images may wait for the disk. More lose their image, never their row: 2 GB at 20 MP.
_IMAGES_WAITING = 32


class Writer:
    """Takes inspections from the inspector without ever holding it up, and keeps them.

    What the disk does not take waits in memory without its image and is offered again every
    second, so that a full disk that is freed in time costs no inspection.
    """

    def __init__(
        self, records: Records, publisher: Publisher, health: Health, listeners: Sequence[Listener] = ()
    ) -> None:
        self._records = records
        self._publisher = publisher
        self._listeners = tuple(listeners)
        self._judged: queue.SimpleQueue[Judged | None] = queue.SimpleQueue()
        self._images_dropped = False
        self._to_records = _Backlog("records", self._record, health)
        self._to_outbox = _Backlog("outbox", self._publish, health)

    def put(self, judged: Judged) -> None:
        """Hand over one part; never waits."""
        if judged.image is not None and self._judged.qsize() >= _IMAGES_WAITING:
            self._images_dropped = True
            judged = Judged(judged.inspection)
        self._judged.put(judged)

    def finish(self) -> None:
        """Nothing comes after this; :meth:`run` returns when all of it is kept."""
        self._judged.put(None)

    @property
    def lost(self) -> int:
        """Inspections that the records or the outbox have not taken, though the station has ended."""
        return max(self._to_records.lost, self._to_outbox.lost)

    def run(self) -> None:
        """Keep what is handed over until :meth:`finish`; for a thread of its own."""
        going = True
        while going:
            batch = self._take()
            going = None not in batch
            judged = [each for each in batch if each is not None]
            entries = [Entry(each.inspection, each.image, each.anomaly_map) for each in judged]
            self._to_records.offer(entries)
            self._to_outbox.offer(entries)
            for each in judged:
                for listener in self._listeners:
                    listener(each)
        self._to_records.give_up()
        self._to_outbox.give_up()

    def _take(self) -> list[Judged | None]:
        """What is waiting, at most a batch; waits for the first, but not past the next retry."""
        overdue = self._to_records.waiting or self._to_outbox.waiting
        batch: list[Judged | None] = []
        try:
            batch.append(self._judged.get(timeout=_RETRY_S if overdue else None))
            while len(batch) < _BATCH and batch[-1] is not None:
                batch.append(self._judged.get_nowait())
        except queue.Empty:
            pass
        return batch

    def _record(self, entries: list[Entry]) -> str:
        self._records.append_all(entries)
        dropped, self._images_dropped = self._images_dropped, False
        return self._records.trouble or (
            "The disk is slower than the line: images are not kept." if dropped else ""
        )

    def _publish(self, entries: list[Entry]) -> str:
        self._publisher.publish_inspections([entry.inspection for entry in entries])
        return ""


class _Backlog:
    """Offers entries to one store in their order; what it refuses waits for the next offer."""

    def __init__(self, component: str, write: Callable[[list[Entry]], str], health: Health) -> None:
        self.waiting: list[Entry] = []
        self.lost = 0
        self._component = component
        self._write = write
        self._health = health

    def offer(self, batch: list[Entry]) -> None:
        """Write what waits and the batch; ``write`` returns what it could not do in full, or raises."""
        entries = [*self.waiting, *batch]
        if not entries:
            return
        try:
            trouble = self._write(entries)
        except EdgeError as error:
            lighter = [Entry(entry.inspection) for entry in entries[-_BACKLOG:]]
            self.lost += len(entries) - len(lighter)
            self.waiting = lighter
            trouble = f"{error} {len(lighter)} inspections wait in memory."
            if self.lost:
                trouble += f" {self.lost} are lost."
        else:
            self.waiting = []
        self._health.set(self._component, Level.DEGRADED if trouble else Level.OK, trouble)

    def give_up(self) -> None:
        """The station ends: what still waits is lost, and the log says which."""
        if self.waiting:
            first, last = self.waiting[0].inspection.seq, self.waiting[-1].inspection.seq
            log.error(
                "%s: %d inspections are lost, seq %d to %d", self._component, len(self.waiting), first, last
            )
            self.lost += len(self.waiting)
            self.waiting = []
