"""The station at work: camera threads, inspector, writer thread, and the status publisher beside them.

::

    camera threads ─ PartQueue ── inspector (the calling thread) ── Writer ── records, outbox
                                   ├── PartJoiner: images of one part
                                   └── Narrator ── words, after the verdict ──┘
                                                                      status ── state, heartbeat, events

The inspector touches neither disk nor network. Every part that the cameras show becomes exactly
one inspection, numbered without gaps from where the records and the outbox ended last time. Where a
product has one view, each image is a part; where several cameras see its views, their images of a part are.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from edge.cameras import Camera, EndOfStream
from edge.choices import QueuePolicy, WhichParts
from edge.errors import CameraError
from edge.messaging import Publisher
from edge.records import Records
from edge.station import service_manager
from edge.station.commands import CommandState
from edge.station.health import Health, Level
from edge.station.joint_opening import JointOpening
from edge.station.judging import Judged
from edge.station.narrator import Narrator
from edge.station.part_joiner import JoinedPart, PartJoiner
from edge.station.part_judging import PartJudge
from edge.station.part_queue import PartQueue
from edge.station.progress import ThreadProgress
from edge.station.run_counters import RunCounters
from edge.station.status_publisher import StatusPublisher
from edge.station.writer import BACKLOG, InspectionListener, JudgedListener, Writer

log = logging.getLogger(__name__)

#: A camera is asked for an image five times a second; one that reads a large file may take its time.
CAMERA_HANG_S = 10.0

_INSPECTION_HANGS = (
    "The inspection of part {name} has not ended in {limit_s} s: no part is "
    "judged. Restart the station if it does not recover; raise verdict.hang_s where a part may take "
    "longer."
)
_CAMERA_HANGS = (
    "Camera {name} has not answered in {limit_s} s: parts are not seen. Restart the "
    "station if it does not recover, and check the camera's driver or "
    "folder."
)
_ABANDONED = (
    "Not inspected: the station had to stop while an inspection hung. The log says what "
    "hung; present the part again."
)

#: How often a waiting thread looks whether the station is to stop.
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class StationComponents:
    """What a station is made of, each opened by the caller and closed by it.

    Attributes:
        cameras: not yet open; the station opens and closes them.
        judge: with what was learned of the product.
        records: open for writing.
        publisher: started.
        command_state: what the PLC asks for.
    """

    cameras: Sequence[Camera]
    judge: PartJudge
    records: Records
    publisher: Publisher
    command_state: CommandState


class Station:
    """Its cameras, one product at a time, until the cameras end or :meth:`stop` is called.

    Args:
        rooms: what it is made of.
        bundle, engine: what sees, for ``state``.
        queue_size: images of each camera that may wait for the inspector.
        policy: what happens to a part that finds the queue full.
        words: which parts get a sentence, where the language model decides.
        hang_s: an inspection that takes longer is a fault, unless parts usually take that long.
        warm_up_s: what the first part may take for each look at it.
        views_s: how long a part may wait for its other views.
        listeners: told of every inspection once it is kept.
        hearers: told of every sentence.
    """

    def __init__(
        self,
        rooms: StationComponents,
        *,
        bundle: str = "",
        engine: str = "",
        queue_size: int = 8,
        policy: QueuePolicy = "wait",
        words: WhichParts = "ng",
        hang_s: float = 2.0,
        warm_up_s: float = 0.0,
        views_s: float = 5.0,
        listeners: Sequence[JudgedListener] = (),
        hearers: Sequence[InspectionListener] = (),
    ) -> None:
        self.health = Health()
        self._rooms = rooms
        self._queue = PartQueue(queue_size, policy)
        self._joiner = PartJoiner(views_s)
        self._joiner.expect(rooms.judge.cameras)
        self._writer = Writer(rooms.records, rooms.publisher, self.health, listeners, hearers)
        self._narrator = Narrator(rooms.judge.decider, words, self._writer.put_words)
        self._counters = RunCounters()
        self._progress = ThreadProgress(hang_s, _INSPECTION_HANGS, first_s=warm_up_s)
        self._reading = {
            camera.name: ThreadProgress(CAMERA_HANG_S, _CAMERA_HANGS) for camera in rooms.cameras
        }
        self._status_publisher = StatusPublisher(
            rooms.cameras,
            rooms.publisher,
            self.health,
            lambda: self._counters,
            product=rooms.judge.product,
            bundle=bundle,
            engine=engine,
            decider=rooms.judge.decider,
            hang=lambda: self.hang,
        )
        self._stopping = False
        self._writing: Future[None] | None = None
        # The inspector's part and number, which abandon() takes from it where it hangs.
        self._handing_on = threading.Lock()
        self._under_way: JoinedPart | None = None
        self._seq = 0
        self._abandoned = False

    @property
    def counters(self) -> RunCounters:
        """The counters since :meth:`run` began."""
        return self._counters

    @property
    def lost(self) -> int:
        """Inspections that a full or broken disk has not taken until the station ended; 0 is normal."""
        return self._writer.lost

    def stop(self) -> None:
        """End the run: parts that are in the queue are still inspected, and everything is kept.

        May be called from a signal handler and from any thread.
        """
        # A plain flag: an Event's lock could be held by the very thread that the signal interrupts.
        self._stopping = True

    @property
    def hang(self) -> str:
        """What hangs, so that parts are not judged; empty while all goes on."""
        return next(filter(None, (each.hang for each in (self._progress, *self._reading.values()))), "")

    def abandon(self, timeout_s: float) -> int:
        """End without the inspector, which hangs: its part and those that wait become errors, kept and told.

        For the thread that ends the process right after it. Returns the number of those parts.
        """
        self.stop()
        self._queue.end()
        with self._handing_on:
            self._abandoned = True
            parts = [] if self._under_way is None else [self._under_way]
            while (image := self._queue.take(timeout_s=0)) is not None:
                self._joiner.add(image)
            self._joiner.release()
            while (part := self._joiner.take()) is not None:
                parts.append(part)
            for part in parts:
                self._hand_on(part, self._rooms.judge.judge(part.without_images(_ABANDONED), self._seq))
        self._writer.finish()
        if self._writing is not None:
            wait([self._writing], timeout_s)
        return len(parts)

    def run(self) -> RunCounters:
        """Inspect until the cameras have ended or :meth:`stop` is called.

        Raises:
            CameraError: a camera cannot be opened or can never deliver again; what was shown
                before is inspected and kept.
        """
        self._seq, cameras = self._next_seq(), self._rooms.cameras
        with ThreadPoolExecutor(3 + len(cameras), thread_name_prefix="station") as threads:
            opening = JointOpening(len(cameras))
            capturing = [threads.submit(self._capture, camera, opening) for camera in cameras]
            try:
                opening.wait()
            except CameraError:
                self._end_capture()
                raise
            self._writing = writing = threads.submit(self._writer.run)
            writing.add_done_callback(lambda _: self.stop())
            publishing_status = threads.submit(self._status_publisher.run)
            publishing_status.add_done_callback(lambda _: self.stop())
            narrating = threads.submit(self._narrator.run)
            narrating.add_done_callback(lambda _: self.stop())
            for thread in capturing:
                thread.add_done_callback(lambda ended: self._capture_ended(ended, capturing))
            try:
                self._inspect()
            finally:
                self._end_capture()
                self._narrator.finish()
                wait([narrating])
                self._writer.finish()
                # The status publisher has the last word: it tells of what the writer could not keep.
                wait([writing])
                self._status_publisher.finish()
        for thread in (*capturing, narrating, writing, publishing_status):
            thread.result()
        return self._counters

    def _capture_ended(self, ended: Future[None], capturing: Sequence[Future[None]]) -> None:
        """A camera has shown its last part, or failed, so that parts go by unseen: the station ends."""
        if ended.exception() is not None or all(thread.done() for thread in capturing):
            self._queue.end()

    def _end_capture(self) -> None:
        service_manager.notify(service_manager.STOPPING)
        self.stop()
        self._queue.end()
        for camera in self._rooms.cameras:
            camera.close()

    def _next_seq(self) -> int:
        """The number of the next inspection; gives the outbox again what a crash kept from it."""
        records, publisher = self._rooms.records, self._rooms.publisher
        recorded = records.last_seq()
        publisher.begin_results_after(recorded)
        published = publisher.last_result_seq()
        if published < recorded:
            # What waited in the writer's memory for the outbox, and the batch that it was at.
            missing = records.after(published, 2 * BACKLOG)
            log.info("%d inspections of the last run are being published now", len(missing))
            publisher.publish_inspections(missing)
        return max(recorded, published) + 1

    def _capture(self, camera: Camera, opening: JointOpening) -> None:
        """A camera's thread: every frame goes into the queue, under the name of its part."""
        with opening.of_one():
            camera.open()
        triggers = self._rooms.command_state.triggers.get(camera.name)
        while not self._stopping:
            if not self._queue.wait_for_room(camera.name, _POLL_S):
                continue
            try:
                with self._reading[camera.name].working_on(camera.name):
                    frame = camera.read(timeout_s=_POLL_S)
            except EndOfStream:
                break
            if triggers is None:
                frames = [] if frame is None else [frame]
            elif frame is not None:
                frames = triggers.match(frame)
            elif frames := triggers.overdue():
                camera.doubt("it took no image of a part that was announced.", triggers.window_s + _POLL_S)
            self._watch_announcements()
            for each in frames:
                self._queue.put(each)
        if triggers is not None:
            for each in triggers.end():
                self._queue.put(each)

    def _watch_announcements(self) -> None:
        troubles = [each.trouble for each in self._rooms.command_state.triggers.values()]
        trouble = next(filter(None, troubles), "")
        self.health.set("part_ids", Level.DEGRADED if trouble else Level.OK, trouble)

    def _inspect(self) -> None:
        """The inspector: the queue's parts in their order, until it has ended and is empty."""
        while not self._abandoned and not (self._queue.drained and self._joiner.is_empty):
            self._obey()
            part = self._joiner.take()
            if part is not None:
                self._inspect_part(part)
                continue
            image = self._queue.take(timeout_s=_POLL_S)
            if image is not None:
                self._joiner.add(image)
            elif self._queue.drained:
                self._joiner.release()

    def _obey(self) -> None:
        """Change the product, pause or go on, between two parts."""
        command_state, judge = self._rooms.command_state, self._rooms.judge
        if command_state.switch.waits:
            # What waits for another view is a part of the product that was on the line.
            self._joiner.release()
            while (part := self._joiner.take()) is not None:
                self._inspect_part(part)
            if switched := command_state.switch.apply(judge):
                self._status_publisher.product_changed(*switched)
            self._joiner.expect(judge.cameras)
        if command_state.pause.apply():
            self._status_publisher.paused(bool(command_state.pause.error))

    def _inspect_part(self, part: JoinedPart) -> None:
        self._under_way = part
        judge = self._rooms.judge
        with self._progress.working_on(part.part_id, judge.looks):
            part = self._unless_paused(part)
            judged = judge.judge(part, self._seq)
            judged = self._unless_enrolled(judged)
        if judged.inspection.score is not None or judged.engine_error:
            self.health.set(
                "engine", Level.DEGRADED if judged.engine_error else Level.OK, judged.engine_error
            )
        with self._handing_on:
            if self._abandoned:
                return
            self._hand_on(part, judged)
            self._under_way = None
        self._narrator.offer(judged)

    def _hand_on(self, part: JoinedPart, judged: Judged) -> None:
        """A part has its inspection: count it, and let the writer keep and publish it."""
        self._counters = self._counters.plus(judged.inspection, overrun=part.overrun, missed=part.missed)
        self._writer.put(dataclasses.replace(judged, sources=part.sources))
        self._seq += 1

    def _unless_enrolled(self, judged: Judged) -> Judged:
        """The part, as an error where an enrollment has taken its image."""
        try:
            return self._rooms.command_state.enrollment.take(judged)
        except Exception as failure:
            log.exception("part %s: it cannot be enrolled", judged.inspection.part_id)
            error = f"Not enrolled: {type(failure).__name__}: {failure}. The log has the details."
            return judged.without_verdict(error)

    def _unless_paused(self, part: JoinedPart) -> JoinedPart:
        """The part, as an error where the PLC wants none to be inspected."""
        error = self._rooms.command_state.pause.error
        return part.without_images(error) if error else part
