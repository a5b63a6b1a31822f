"""A camera that can go away: from *discover* to *stream*, and back again after a loss.

Each kind of live camera brings a :class:`~edge.cameras.session.CameraSession`, one connection from its
opening to its loss. What surrounds it is the same for all and lives here: one thread that connects,
tears down and reconnects with back-off, so that the reading thread never waits for any of it; the
watchdog for a camera that says it streams and sends nothing; one error frame and one log line per
loss.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from datetime import datetime, timezone
from types import TracebackType

from edge.cameras.camera import CameraState, CameraStatus, EndOfStream
from edge.cameras.frame import Frame
from edge.cameras.open_trigger import OpenTrigger
from edge.cameras.session import CameraAwayError, CameraSession, Capture, Connect
from edge.errors import CameraError

_log = logging.getLogger(__name__)

FIRST_BACK_OFF_S = 0.25
LONGEST_BACK_OFF_S = 1.0
"""Short, since a line stands still meanwhile, and looking for a camera costs the network little."""

# A closing camera waits at most so long for a read that is under way.
_SLICE_S = 0.2


class LiveCamera:
    """A :class:`~edge.cameras.camera.Camera` over sessions that come and go.

    Args:
        name: the camera's name in the station file.
        connect: makes a session.
        trigger_window_s: of a camera that the station triggers: an image must arrive within so many
            seconds of its trigger.
    """

    def __init__(self, name: str, connect: Connect, trigger_window_s: float | None = None) -> None:
        self._name = name
        self._connect = connect
        self._open_trigger = None if trigger_window_s is None else OpenTrigger(trigger_window_s)
        self._changed = threading.Condition()
        self._using = threading.Lock()  # held while the session is read; taken to close it
        self._triggering = threading.Lock()  # held while the session is triggered; likewise
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._session: CameraSession | None = None
        self._dropped: CameraSession | None = None
        self._refusal: CameraError | None = None
        self._tried = False
        self._broken = False  # the camera's thread has ended by a fault of this program
        self._complained = False  # the log says that the camera is away
        self._proven = False  # the session has sent an image, or need not
        self._status = CameraStatus(CameraState.CLOSED)
        self._silent_since: float | None = None
        self._begun_s = 0.0  # when the session was there
        self._doubt = ""  # why a session that may be silent is taken for lost
        self._doubted = False  # until an image shows that there was no reason

    @property
    def name(self) -> str:
        return self._name

    @property
    def status(self) -> CameraStatus:
        return self._status

    def open(self) -> None:
        """Connect, or start looking for a camera that is not there yet.

        Raises:
            CameraError: the settings cannot work with this camera, or on this machine.
        """
        if self._thread is not None:
            return
        self._closing.clear()
        self._tried, self._refusal, self._complained, self._broken = False, None, False, False
        self._status = CameraStatus(CameraState.DISCOVERING)
        self._thread = threading.Thread(target=self._work, name=f"camera-{self._name}", daemon=True)
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._tried or self._broken)
        if self._refusal is not None:
            refusal = self._refusal
            self.close()
            raise refusal

    def read(self, timeout_s: float) -> Frame | None:
        """The next frame; None where none came in time, also while the camera is away.

        A loss is one frame with an error, in place of the part that was in front of the camera.

        Raises:
            EndOfStream: the camera was closed, or a file has ended.
            CameraError: the camera was never opened, or a fault of this program has ended it.
        """
        if self._thread is None and not self._closing.is_set():
            raise CameraError(f"Camera {self._name} is not open.", "Call open() before read().")
        deadline = time.monotonic() + timeout_s
        while True:
            session = self._await_session(deadline)
            if session is not None:
                frame = self._read_session(session, deadline)
                if frame is not None:
                    return frame
            if asked := self._open_trigger and self._open_trigger.overdue():
                return self._error_frame(
                    asked.part_id,
                    f"Camera {self._name} sent no image in time after the trigger. "
                    "Check exposure and frame rate, or raise camera.trigger.window_s.",
                    asked.acquisition,
                )
            if time.monotonic() >= deadline:
                return None

    @property
    def takes_trigger(self) -> bool:
        return self._open_trigger is not None

    def doubt(self, reason: str, seen_s: float) -> None:
        with self._changed:
            session = self._session
            if session is None or session.no_frame_s is not None:
                return
            if time.monotonic() - self._begun_s > seen_s:
                self._doubt = reason

    def trigger(self, part_id: str, acquisition: int = 0) -> None:
        """Take one image of this part now; it arrives through :meth:`read` under this id.

        One trigger is open at a time, so that an image can never be taken for another part's:
        it ends with its image, or with an error frame when ``trigger_window_s`` is over.

        Raises:
            CameraError: not a software-triggered camera, away, or busy with the part before.
        """
        trigger = self._open_trigger
        if trigger is None:
            raise CameraError(
                f"Camera {self._name} does not accept software triggers.",
                "Set camera.trigger.source to software.",
            )
        with self._triggering:
            session = self._session
            if session is None:
                raise CameraAwayError(f"Camera {self._name} is not available: {self._status.detail}")
            if waiting := trigger.ask(part_id, acquisition):
                raise CameraError(
                    f"Camera {self._name} is still waiting for the image of part {waiting}.",
                    "Trigger the next part after this one's result has arrived.",
                )
            try:
                session.trigger()
            except CameraError:
                trigger.give_up()
                raise

    def close(self) -> None:
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        self._status = replace(self._status, state=CameraState.CLOSED)

    def __enter__(self) -> LiveCamera:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Reading: the inspection's thread.

    def _await_session(self, deadline: float) -> CameraSession | None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._session is not None or self._closing.is_set() or self._broken,
                timeout=max(0.0, min(deadline - time.monotonic(), _SLICE_S)),
            )
            if self._closing.is_set():
                raise EndOfStream
            if self._broken:
                raise CameraError(
                    f"Camera {self._name} has failed.", "The fault is in the log; please report it."
                )
            return self._session

    def _read_session(self, session: CameraSession, deadline: float) -> Frame | None:
        if self._doubt:
            # The part that no image came of has its error already.
            self._give_up(session, CameraAwayError(self._doubt))
            return None
        try:
            with self._using:
                if self._closing.is_set():
                    raise EndOfStream
                capture = session.next(max(0.0, min(deadline - time.monotonic(), _SLICE_S)))
            self._watch(session, silent=capture is None)
        except CameraAwayError as error:
            return self._lose(session, error)
        if capture is None:
            return None
        if not self._proven:
            self._come_back(session)
        return self._frame(capture)

    def _watch(self, session: CameraSession, silent: bool) -> None:
        """The watchdog: a camera may say that it streams and send nothing."""
        now = time.monotonic()
        if not silent:
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = now
        elif session.no_frame_s is not None and now - self._silent_since > session.no_frame_s:
            raise CameraAwayError(f"it sent no image for {session.no_frame_s:g} s.")

    def _give_up(self, session: CameraSession, error: CameraAwayError) -> bool:
        """Let the session go; true where the camera was away already and never really back."""
        with self._changed:
            still_away = self._complained and not self._proven
            self._complained = True
            self._session, self._dropped = None, session
            self._silent_since = None
            self._doubted, self._doubt = self._doubted or bool(self._doubt), ""
            self._update(CameraState.LOST, str(error), losses=self._status.losses + (not still_away))
            self._changed.notify_all()
        if not still_away:
            _log.warning("camera %s is lost: %s", self._name, error)
        return still_away

    def _lose(self, session: CameraSession, error: CameraAwayError) -> Frame | None:
        """Give the session up; None where no part needs another error for it."""
        still_away = self._give_up(session, error)
        asked = None if self._open_trigger is None else self._open_trigger.give_up()
        text = f"Camera {self._name} is lost: {error}"
        if asked is not None:
            return self._error_frame(asked.part_id, text, asked.acquisition)
        return None if still_away else self._error_frame(f"{_stamp(_now())}-lost", text)

    def _frame(self, capture: Capture) -> Frame:
        part_id, acquisition = f"{_stamp(capture.captured_at)}-{capture.frame_id}", 0
        error = capture.error
        if self._open_trigger is not None:
            asked = self._open_trigger.part_of(capture.captured_s, capture.missed)
            if asked is None:
                error = f"Camera {self._name} sent an image that no trigger asked for."
            else:
                part_id, acquisition = asked.part_id, asked.acquisition
                error = error or ("" if asked.trusted else self._out_of_step())
        with self._changed:
            self._status = replace(
                self._status,
                frames=self._status.frames + (not error),
                errors=self._status.errors + bool(error),
                missed=self._status.missed + capture.missed,
            )
        return Frame(
            image=None if error else capture.image,
            part_id=part_id,
            camera=self._name,
            captured_at=capture.captured_at,
            frame_id=capture.frame_id,
            error=error,
            missed=capture.missed,
            device_time_ns=capture.device_time_ns,
            chunks=capture.chunks,
            lost=capture.lost,
            captured_s=capture.captured_s,
            acquisition=acquisition,
        )

    def _out_of_step(self) -> str:
        return (
            f"Camera {self._name} sent an image that may be of the part before, whose own did not come in "
            "time. Check exposure and frame rate, or raise camera.trigger.window_s."
        )

    def _error_frame(self, part_id: str, error: str, acquisition: int = 0) -> Frame:
        with self._changed:
            self._status = replace(self._status, errors=self._status.errors + 1)
        return Frame(None, part_id, self._name, _now(), 0, error, acquisition=acquisition)

    # Connecting: the camera's own thread.

    def _work(self) -> None:
        try:
            self._keep_connected()
        finally:
            if not self._closing.is_set():
                with self._changed:
                    self._broken = True
                    self._changed.notify_all()

    def _keep_connected(self) -> None:
        back_off_s = FIRST_BACK_OFF_S
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._session is None or self._closing.is_set())
                dropped, self._dropped = self._dropped or self._session, None
                self._session = None
            if dropped is not None:
                with self._using, self._triggering:
                    dropped.close()
            if self._closing.is_set():
                return
            try:
                session = self._connect(self._report)
            except CameraError as error:
                self._stay_away(error)
                if self._closing.wait(back_off_s):
                    return
                back_off_s = min(2 * back_off_s, LONGEST_BACK_OFF_S)
            else:
                back_off_s = FIRST_BACK_OFF_S
                self._begin(session)

    def _begin(self, session: CameraSession) -> None:
        """A session is there; whether the camera is back, its first image says."""
        with self._changed:
            self._session = session
            self._proven = False
            self._tried = True
            self._begun_s = time.monotonic()
            if session.no_frame_s is None and not self._doubted:
                self._come_back(session)
            self._changed.notify_all()

    def _come_back(self, session: CameraSession) -> None:
        with self._changed:
            self._proven, self._doubted = True, False
            self._update(CameraState.STREAMING, session.description)
        if self._complained:
            self._complained = False
            _log.warning("camera %s is back: %s", self._name, session.description)

    def _stay_away(self, error: CameraError) -> None:
        with self._changed:
            if not self._tried and not isinstance(error, CameraAwayError):
                self._refusal = error
                self._closing.set()
            elif not self._complained:
                _log.warning("camera %s is away: %s", self._name, error)
                self._complained = True
            self._update(CameraState.BACKING_OFF, str(error))
            self._tried = True
            self._changed.notify_all()

    def _report(self, state: CameraState) -> None:
        """A step of connecting; of a camera that is known to be away, only that it is."""
        if not self._complained:
            self._update(state)

    def _update(self, state: CameraState, detail: str | None = None, losses: int | None = None) -> None:
        """Move to a state; without a detail, the one before stays true."""
        with self._changed:
            status = self._status
            self._status = replace(
                status,
                state=state,
                detail=status.detail if detail is None else detail,
                losses=status.losses if losses is None else losses,
            )


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03d}"
