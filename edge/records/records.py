"""Writing the history of inspections: rows, images, and what is forgotten in time."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from edge.clock import StationClock
from edge.errors import RecordsError
from edge.inspection import Inspection, Verdict
from edge.records import rows, sources
from edge.records.database import (
    DamagedError,
    explaining,
    open_for_writing,
    set_aside,
    transaction,
)
from edge.records.history import History
from edge.records.images import newest_day_folders, remove, write_image
from edge.records.overlay import Outlines, draw_overlay
from edge.records.retention import Retention
from edge.records.rows import ImageFiles
from edge.records.settings import RecordsSettings

if TYPE_CHECKING:
    from edge.image_types import Array, Image

log = logging.getLogger(__name__)

_LOCK_NAME = "records.lock"
_SUFFIXES = {"jpeg": ".jpg", "png": ".png"}
_OVERLAY = ".overlay.jpg"


@dataclass(frozen=True, slots=True)
class Entry:
    """An inspection to record, with what the station saw.

    Attributes:
        inspection: all that is known about the part.
        image: uint8 (H, W) grey or (H, W, 3) BGR as captured; None where there is none.
        anomaly_map: float32 (h, w), 0 good and 1 simulated defect; None where there is none.
        sources: where the images came from, to be marked as inspected; none where nobody asks.
        outlines: of what was looked at, where that is not the whole image.
        others: what the part's other views saw, each with its camera's inspection.
    """

    inspection: Inspection
    image: Image | None = None
    anomaly_map: Array | None = None
    sources: tuple[str, ...] = ()
    outlines: Outlines = ()
    others: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordingFailures:
    """What could not be kept since the records were opened.

    Attributes:
        inspections: rows that were refused; one that is offered and refused again counts again.
        images: inspections that have their row but not the image that the settings ask for.
    """

    inspections: int = 0
    images: int = 0


class Records(History):
    """The history under ``data_dir``, for the one station that writes it.

    Images are encoded and files are written in the thread that calls :meth:`append`, which is never
    the inspecting one. A failure costs what it names, is counted in :attr:`unrecorded`, and leaves
    the records ready for the next call. A damaged history is set aside with its images, and a new one
    is begun: at the start, or while the station runs.

    Args:
        clock: says whether the date has jumped, so that nothing is deleted for its age; default: that
            of ``data_dir``.

    Example::

        with Records(data_dir, settings) as records:
            records.append_all([Entry(inspection, image, anomaly_map)])

    Raises:
        RecordsError: the folder cannot be used, or another station has it.
    """

    def __init__(
        self,
        data_dir: Path,
        settings: RecordsSettings | None = None,
        clock: StationClock | None = None,
    ) -> None:
        super().__init__(data_dir)
        self._settings = settings or RecordsSettings()
        self._suffix = _SUFFIXES[self._settings.image_format]
        self._clock = clock or StationClock(data_dir)
        self._set_aside: Path | None = None
        self._lock = threading.Lock()
        self._unrecorded = RecordingFailures()
        self._trouble = ""
        self._claim = _claim(data_dir)
        try:
            try:
                self._open()
            except DamagedError as error:
                self._begin_anew(error)
        except RecordsError:
            os.close(self._claim)
            raise

    def _open(self) -> None:
        self._db = open_for_writing(self.path)
        try:
            with explaining(self.path):
                self._db.row_factory = sqlite3.Row
                stored = self._db.execute(
                    "SELECT COALESCE(SUM(image_bytes), 0) FROM inspections WHERE image_bytes > 0"
                ).fetchone()[0]
                self._retention = Retention(self.data_dir, self._settings, int(stored), self._clock)
                self._remove_strays()
            self.last_seq()  # what the station asks next
        except RecordsError:
            self._db.close()
            raise

    def _begin_anew(self, error: DamagedError) -> None:
        """A station that keeps nothing is worse than one that lost its history: say so, and go on."""
        self._set_aside = set_aside(self.path)
        log.error(
            "records: %s It is now in %s, and a new one has been started.", error.message, self._set_aside
        )
        self._open()

    def __enter__(self) -> Records:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish the database and let another station have the folder."""
        with self._lock:
            self._clock.keep(at_once=True)
            self._db.close()
            if self._claim >= 0:
                os.close(self._claim)
                self._claim = -1

    def take_set_aside(self) -> Path | None:
        """Where a damaged history was moved, once after it was; else None."""
        aside, self._set_aside = self._set_aside, None
        return aside

    @property
    def unrecorded(self) -> RecordingFailures:
        """What could not be kept since the records were opened."""
        return self._unrecorded

    @property
    def trouble(self) -> str:
        """Why the last call did not keep all that it should; empty when it did."""
        return self._trouble

    def append(
        self,
        inspection: Inspection,
        image: Image | None = None,
        anomaly_map: Array | None = None,
    ) -> None:
        """Record one inspection; see :meth:`append_all`."""
        self.append_all([Entry(inspection, image, anomaly_map)])

    def append_all(self, entries: Sequence[Entry]) -> None:
        """Record a batch: all of its rows or none, on the disk when this returns.

        Rows are worth more than images: where only an image cannot be kept (a full disk), its row is
        recorded without it, and :attr:`trouble` says why. Each call also forgets a bounded number of
        old images and rows. An inspection that is already recorded stays as it is.

        Raises:
            RecordsError: no row of this batch was recorded.
        """
        with self._lock:
            self._trouble = ""
            self._forget()
            self._clock.keep()
            # Forgetting is written down, which takes room itself: once more where that was the last of it.
            room = self._retention.room_for_images() or (
                self._forget() > 0 and self._retention.room_for_images()
            )
            kept = [self._keep_images(entry, room) for entry in entries]
            try:
                added = self._insert(entries, kept)
            except RecordsError as trouble:
                self._note(trouble, inspections=len(entries))
                with suppress(RecordsError):  # what cannot be deleted now is a stray at the next start
                    remove(self.data_dir / name for files in kept for name in files.names)
                raise
            self._retention.stored_bytes += added

    def _insert(self, entries: Sequence[Entry], kept: Sequence[ImageFiles]) -> int:
        """Add the rows, to a new history where this one proves damaged; the bytes of their images."""
        try:
            return self._insert_once(entries, kept)
        except DamagedError as error:
            self._db.close()
            self._begin_anew(error)
            # The images that were just written lie aside with the older ones.
            return self._insert_once(entries, [ImageFiles()] * len(entries))

    def _insert_once(self, entries: Sequence[Entry], kept: Sequence[ImageFiles]) -> int:
        with explaining(self.path), transaction(self._db):
            for entry in entries:
                for source in entry.sources:
                    sources.mark(self._db, source, entry.inspection.seq)
            return sum(
                rows.insert(self._db, entry.inspection, files)
                for entry, files in zip(entries, kept, strict=True)
            )

    def write_words(self, words: Mapping[str, str]) -> int:
        """Fill in the sentences that were written after the verdicts; all of them or none.

        Args:
            words: by the inspection's id.

        Returns:
            How many rows there were to fill in: retention may have forgotten some.

        Raises:
            RecordsError: nothing was written.
        """
        with self._lock:
            try:
                with explaining(self.path), transaction(self._db):
                    return sum(rows.write_words(self._db, each, text) for each, text in words.items())
            except DamagedError as error:
                self._db.close()
                self._begin_anew(error)
                return 0

    def begin_sources(self, suspects: Iterable[str], again: str | None = None) -> None:
        """A station starts: note what ended the one before, and forget the oldest of too many sources.

        Args:
            suspects: sources that were under way when it ended.
            again: sources that begin so count as new; None: none do.

        Raises:
            RecordsError: nothing was noted.
        """
        with self._lock, explaining(self.path), transaction(self._db):
            sources.note_deaths(self._db, suspects)
            sources.trim(self._db)
            if again is not None:
                sources.inspect_again(self._db, again)

    def forget_sources(self, gone: Iterable[str]) -> None:
        """Forget sources that will not come again.

        Raises:
            RecordsError: none was forgotten.
        """
        with self._lock, explaining(self.path), transaction(self._db):
            sources.forget(self._db, gone)

    def forget(self) -> int:
        """Delete a bounded number of what the settings say is too old or too much; how many.

        :meth:`append_all` does it too; a station without parts may call this from time to time.
        """
        with self._lock:
            self._trouble = ""
            return self._forget()

    def _forget(self) -> int:
        try:
            with explaining(self.path):
                forgotten = self._retention.apply(self._db)
        except RecordsError as error:
            self._note(error)
            return 0
        if self._retention.doubt:
            self._trouble = self._retention.doubt
        return forgotten

    def _keep_images(self, entry: Entry, room: bool) -> ImageFiles:
        """Write the image files of an entry."""
        if not self._wants_image(entry.inspection):
            return ImageFiles()
        pictured = [each for each in (entry, *entry.others) if each.image is not None]
        if pictured and not room:
            full = RecordsError(
                f"No image is kept: the disk has less than {self._settings.min_free_gb:g} GB free.",
                "Free some space, or lower records.max_size_gb or records.min_free_gb.",
            )
            self._note(full, images=1)
            return ImageFiles()
        stem, written = _stem(entry.inspection), dict[str, int]()
        try:
            for name, picture in self._pictures(entry, stem):
                written[name] = write_image(self.data_dir / name, picture)
        except RecordsError as error:
            self._note(error, images=1)
        image, overlay = f"{stem}{self._suffix}", f"{stem}{_OVERLAY}"
        return ImageFiles(
            image=image if image in written else "",
            overlay=overlay if overlay in written else "",
            others=tuple(name for name in written if name not in (image, overlay)),
            size=sum(written.values()),
        )

    def _pictures(self, entry: Entry, stem: str) -> Iterator[tuple[str, Image]]:
        """The image files of an entry by their paths under ``data_dir``; views of one image share it."""
        drawn: list[Image] = []
        for each in (entry, *entry.others):
            if each.image is None:
                continue
            name = stem if each is entry else f"{stem}-{each.inspection.view}"
            if not any(each.image is image for image in drawn):
                yield f"{name}{self._suffix}", each.image
                drawn.append(each.image)
            if each.anomaly_map is not None and self._settings.overlay:
                overlay = draw_overlay(each.image, each.anomaly_map, each.inspection, each.outlines)
                yield f"{name}{_OVERLAY}", overlay

    def _wants_image(self, inspection: Inspection) -> bool:
        keep = self._settings.keep_images
        return keep == "all" or (keep == "ng" and (inspection.verdict is not Verdict.OK or inspection.review))

    def _remove_strays(self) -> None:
        """Delete the image files of a batch that a crash kept from being recorded."""
        for folder in newest_day_folders(self.data_dir / "images"):
            known = {
                self.data_dir / name
                for row in self._db.execute(
                    "SELECT image, overlay, other_images FROM inspections "
                    "WHERE captured_at >= ? AND captured_at < ?",
                    (folder.name, f"{folder.name}U"),  # a moment has its T after the day
                )
                for name in rows.image_names(row)
            }
            remove(file for file in folder.iterdir() if file not in known)

    def _note(self, trouble: RecordsError, inspections: int = 0, images: int = 0) -> None:
        self._trouble = str(trouble)
        self._unrecorded = RecordingFailures(
            self._unrecorded.inspections + inspections, self._unrecorded.images + images
        )


def _stem(inspection: Inspection) -> str:
    """What the names of an inspection's image files begin with."""
    day, _, time = inspection.captured_at.partition("T")
    return f"images/{day}/{time[:8].replace(':', '')}-{inspection.verdict.value}-{inspection.id}"


def _claim(data_dir: Path) -> int:
    """Make the folder and hold its lock: a file descriptor, which the system frees in any crash."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(data_dir / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise RecordsError(
            f"Records cannot be written in {data_dir}: {error.strerror or error}.",
            "Choose a data_dir that the station's user may write to.",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise RecordsError(
            f"Another station is writing records in {data_dir}.",
            "Stop it, or give each station its own data_dir.",
        ) from error
    return descriptor
