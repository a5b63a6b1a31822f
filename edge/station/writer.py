"""The writer: what the inspector has judged goes to the records and to the outbox, off its path.

Order per batch: the records' rows are committed, then the outbox, then the listeners hear of it.
After a crash the records therefore hold every inspection that the outbox holds, and what the
outbox lacks is given to it again from the records (see :mod:`edge.station.pipeline`).

A part's sentence comes after its row, and is filled in there and published as an event.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Sequence

from edge.errors import EdgeError, RecordsError
from edge.inspection import Inspection
from edge.messaging import AlarmCode, EventCode, Publisher
from edge.records import DiskFullError, Entry, Records
from edge.station.health import Health, Level
from edge.station.judging import Judged

log = logging.getLogger(__name__)

JudgedListener = Callable[[Judged], None]
"""Told of every inspection once it is kept, in order, in the writer's thread; it must be quick."""

InspectionListener = Callable[[Inspection], None]
"""Told of every sentence: the inspection with its words, in the writer's thread; it must be quick."""

_BATCH = 32
_RETRY_S = 1.0

#: Inspections that wait in memory for a disk that takes none: hours of a line, some 10 MB. So many at
#: most may be in the records and not in the outbox when the station is killed.
BACKLOG = 10_000

#: Parts whose images may wait for the disk. More lose their image, never their row: 2 GB at 20 MP.
_IMAGES_WAITING = 32


class Writer:
    """Takes inspections from the inspector without ever holding it up, and keeps them.

    What the disk does not take waits in memory without its image and is offered again every
    second, so that a full disk that is freed in time costs no inspection.
    """

    def __init__(
        self,
        records: Records,
        publisher: Publisher,
        health: Health,
        listeners: Sequence[JudgedListener] = (),
        hearers: Sequence[InspectionListener] = (),
    ) -> None:
        self._records = records
        self._publisher = publisher
        self._listeners = tuple(listeners)
        self._hearers = tuple(hearers)
        self._arrived: queue.SimpleQueue[Judged | Inspection | None] = queue.SimpleQueue()
        self._images_dropped = False
        self._to_records = _Backlog("records", self._record, health)
        self._to_outbox = _Backlog("outbox", self._publish, health)

    def put(self, judged: Judged) -> None:
        """Hand over one part; never waits."""
        if judged.image is not None and self._arrived.qsize() >= _IMAGES_WAITING:
            self._images_dropped = True
            judged = Judged(judged.inspection, sources=judged.sources)
        self._arrived.put(judged)

    def put_words(self, inspection: Inspection) -> None:
        """Hand over a part's sentence, as the inspection with its words; never waits."""
        self._arrived.put(inspection)

    def finish(self) -> None:
        """Nothing comes after this; :meth:`run` returns when all of it is kept."""
        self._arrived.put(None)

    @property
    def lost(self) -> int:
        """Inspections that the records or the outbox have not taken, though the station has ended."""
        return max(self._to_records.lost, self._to_outbox.lost)

    def run(self) -> None:
        """Keep what is handed over until :meth:`finish`; for a thread of its own."""
        going = True
        while going:
            self._tell_of_damaged_records()
            batch = self._take()
            going = None not in batch
            judged = [each for each in batch if isinstance(each, Judged)]
            worded = [each for each in batch if isinstance(each, Inspection)]
            entries = [_entry(each) for each in judged]
            self._to_records.offer([*entries, *map(Entry, worded)])
            self._to_outbox.offer(entries)
            for each in judged:
                for listener in self._listeners:
                    listener(each)
            for inspection in worded:
                self._publish_words(inspection)
                for hearer in self._hearers:
                    hearer(inspection)
        self._to_records.give_up()
        self._to_outbox.give_up()

    def _take(self) -> list[Judged | Inspection | None]:
        """What is waiting, at most a batch; waits for the first, but not past the next retry."""
        overdue = self._to_records.waiting or self._to_outbox.waiting
        batch: list[Judged | Inspection | None] = []
        try:
            batch.append(self._arrived.get(timeout=_RETRY_S if overdue else None))
            while len(batch) < _BATCH and batch[-1] is not None:
                batch.append(self._arrived.get_nowait())
        except queue.Empty:
            pass
        return batch

    def _record(self, entries: list[Entry]) -> str:
        # Judging gives no words: an entry that has some is a sentence for a row from before.
        rows = [entry for entry in entries if not entry.inspection.words]
        words = {entry.inspection.id: entry.inspection.words for entry in entries if entry.inspection.words}
        if rows:
            self._records.append_all(rows)
        if words:
            self._records.write_words(words)
        dropped, self._images_dropped = self._images_dropped, False
        return self._records.trouble or (
            "The disk cannot keep up with the line: images are not being saved." if dropped else ""
        )

    def _tell_of_damaged_records(self) -> None:
        aside = self._records.take_set_aside()
        if aside is not None:
            text = (
                "The history was damaged and has been replaced by a new one; the old one and "
                f"its images are in {aside}."
            )
            self._publisher.event(EventCode.RECORDS_RESET, text)
            self._publisher.raise_alarm(AlarmCode.STORAGE, text)

    def _publish(self, entries: list[Entry]) -> str:
        self._publisher.publish_inspections([entry.inspection for entry in entries])
        return ""

    def _publish_words(self, inspection: Inspection) -> None:
        self._publisher.event(
            EventCode.WORDS,
            inspection.words,
            product=inspection.product,
            part_id=inspection.part_id,
            result_seq=inspection.seq,
        )


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
        level = Level.DEGRADED
        try:
            trouble = self._written(entries)
        except EdgeError as error:
            # A full disk takes everything once there is room; one that fails may never do.
            if isinstance(error, RecordsError) and not isinstance(error, DiskFullError):
                level = Level.FAULT
            lighter = [Entry(entry.inspection, sources=entry.sources) for entry in entries[-BACKLOG:]]
            self.lost += _inspections(entries[:-BACKLOG])
            self.waiting = lighter
            trouble = f"{error} {_inspections(lighter)} inspections wait in memory."
            if self.lost:
                trouble += f" {self.lost} are lost."
        else:
            self.waiting = []
        self._health.set(self._component, level if trouble else Level.OK, trouble)

    def _written(self, entries: list[Entry]) -> str:
        """What could not be written in full; an image that fails as nobody foresaw costs no row."""
        try:
            return self._write(entries)
        except EdgeError:
            raise
        except Exception as error:
            seqs = [entry.inspection.seq for entry in entries]
            log.exception(
                "%s: images of seq %d to %d could not be written", self._component, min(seqs), max(seqs)
            )
            trouble = self._write([Entry(entry.inspection) for entry in entries])
            reason = f"{type(error).__name__}: {error}. The log has the details."
            return trouble or f"Images are not kept: {reason}"

    def give_up(self) -> None:
        """The station ends: what still waits is lost, and the log says which."""
        if count := _inspections(self.waiting):
            seqs = [entry.inspection.seq for entry in self.waiting]
            log.error(
                "%s: %d inspections are lost, seq %d to %d", self._component, count, min(seqs), max(seqs)
            )
            self.lost += count
        self.waiting = []


def _entry(judged: Judged) -> Entry:
    return Entry(
        judged.inspection,
        judged.image,
        judged.anomaly_map,
        judged.sources,
        judged.outlines,
        tuple(map(_entry, judged.others)),
    )


def _inspections(entries: Sequence[Entry]) -> int:
    """How many of the entries are inspections; the others are sentences about earlier ones."""
    return sum(not entry.inspection.words for entry in entries)
