"""GigE Vision cameras through Aravis: finding, opening and streaming one."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from edge.cameras.aravis import ArvBuffer, ArvCamera, ArvStream, Device, find_devices
from edge.cameras.aravis_library import AravisError, BufferStatus, DeviceErrorCode
from edge.cameras.camera import CameraState
from edge.cameras.frame_ids import WRAP, FrameIds
from edge.cameras.gige_configuration import configure
from edge.cameras.gige_host import check_raw_sockets, check_receive_buffer, is_address, reach
from edge.cameras.host_clock import HostClock
from edge.cameras.live import LiveCamera
from edge.cameras.pixel_formats import to_image
from edge.cameras.session import CameraAwayError, Capture, Report
from edge.cameras.settings import GigESettings
from edge.errors import CameraError, FrameError

_log = logging.getLogger(__name__)

# What may heal by itself: a cable, a camera that restarts, a controller whose heartbeat runs out.
_PASSING = frozenset(
    {
        DeviceErrorCode.NOT_CONNECTED,
        DeviceErrorCode.PROTOCOL_ERROR,
        DeviceErrorCode.TRANSFER_ERROR,
        DeviceErrorCode.TIMEOUT,
        DeviceErrorCode.NOT_FOUND,
        DeviceErrorCode.GENICAM_NOT_FOUND,
        DeviceErrorCode.NOT_CONTROLLER,
    }
)

_INCOMPLETE = {
    BufferStatus.MISSING_PACKETS: "packets are missing",
    BufferStatus.TIMEOUT: "its end did not arrive in time",
    BufferStatus.WRONG_PACKET_ID: "its packets arrived in disorder",
    BufferStatus.SIZE_MISMATCH: "its size is not what the camera announced",
}

_OWED_AT_MOST = 1000
"""Missed triggers in a row that get an error frame each; a longer gap is a restart, not a line's parts."""


def gige_camera(settings: GigESettings) -> LiveCamera:
    """The camera that the settings describe, not yet open."""
    buffer = check_receive_buffer(settings.socket_buffer_bytes)
    if not buffer.good and not check_raw_sockets().good:
        _log.warning("camera %s will lose packets: %s. %s", settings.name, buffer.found, buffer.remedy)
    window_s = settings.trigger.window_s if settings.trigger.is_software else None
    return LiveCamera(settings.name, lambda report: _connect(settings, report), window_s)


def _connect(settings: GigESettings, report: Report) -> GigESession:
    report(CameraState.DISCOVERING)
    # An address needs no search, which takes a second and reaches every network of this machine.
    name = settings.device if is_address(settings.device) else choose_device(settings.device, find_devices())
    report(CameraState.OPENING)
    control_lost = threading.Event()
    try:
        camera = ArvCamera(name, control_lost.set)
    except AravisError as error:
        raise _explain(error, f"Camera {name} cannot be opened") from error
    try:
        if not camera.is_controller():
            raise _controlled_elsewhere(f"Camera {name}")
        report(CameraState.CONFIGURING)
        description, no_frame_s = configure(camera, settings)
        return GigESession(camera, settings, control_lost, description, no_frame_s)
    except AravisError as error:
        camera.close()
        raise _explain(error, f"Camera {name} cannot be configured") from error
    except CameraError:
        camera.close()
        raise


def choose_device(wanted: str | None, devices: list[Device]) -> str:
    """The Aravis name of the camera that the settings mean.

    A name that no answer carries is passed on, since it may be the camera's user-defined one,
    which the answers do not show.

    Raises:
        CameraAwayError: no camera answers.
        CameraError: it is not clear which camera is meant.
    """
    known = ", ".join(f"{device.serial} ({device.model}, {device.address})" for device in devices)
    if wanted is None:
        matches = devices
    else:
        matches = [
            device
            for device in devices
            if wanted.lower()
            in {device.id.lower(), device.serial.lower(), device.mac.lower(), device.address}
        ]
        if not matches:
            return wanted
    if not matches:
        raise CameraAwayError("No GigE Vision camera answers.", "Check power, cable and network interface.")
    if len(matches) > 1:
        raise CameraError(
            f"{len(matches)} cameras match: {known}.",
            "Set camera.device to the MAC or IP address of one.",
        )
    return matches[0].id


def _explain(error: AravisError, what: str) -> CameraError:
    if error.code is DeviceErrorCode.NOT_CONTROLLER:
        return _controlled_elsewhere(what)
    if error.code in _PASSING:
        return CameraAwayError(f"{what}: {error}.", "Check power, cable and the camera's IP address.")
    return CameraError(f"{what}: {error}.", "Correct the camera section of the station file.")


def _controlled_elsewhere(what: str) -> CameraAwayError:
    return CameraAwayError(
        f"{what}: another program controls it.",
        "Close that program; after a crash the camera frees itself within some seconds.",
    )


class GigESession:
    """One connection to a GigE Vision camera, streaming; see :class:`~edge.cameras.session.CameraSession`."""

    def __init__(
        self,
        camera: ArvCamera,
        settings: GigESettings,
        control_lost: threading.Event,
        description: str,
        no_frame_s: float | None,
    ) -> None:
        self.description = description
        self.no_frame_s = no_frame_s
        self._camera = camera
        self._control_lost = control_lost
        self._software = settings.trigger.is_software
        # Behind a line trigger each frame is a part: those that never arrived are owed an answer.
        self._answers_missed = not (settings.trigger.is_free or self._software)
        self._ids = FrameIds()
        self._clock = HostClock()
        self._owed: deque[Capture] = deque()
        self._parting = settings.buffers  # frames that are still taken once control is lost
        # Chunks make a frame larger: the buffers come after them.
        self._chunks = camera.send_chunks(settings.chunks) if settings.chunks else None
        self._stream: ArvStream = camera.create_stream(settings.buffers)
        self._stream.set_socket_buffer(settings.socket_buffer_bytes)
        self._stream.set_packet_resend(settings.packet_resend)
        self._stream.set_frame_retention(settings.frame_retention_ms)
        try:
            camera.call("start_acquisition")
        except AravisError:
            self._release()
            raise

    def next(self, timeout_s: float) -> Capture | None:
        if self._owed:
            return self._owed.popleft()
        if self._control_lost.is_set():
            # What has arrived is still good; what a camera sends on without control is not ours.
            timeout_s = 0.0
            self._parting -= 1
        self._clock.look()
        buffer = self._stream.pop(timeout_s) if self._parting else None
        if buffer is None:
            if self._control_lost.is_set():
                raise CameraAwayError(
                    "it stopped answering, or another program took control.",
                    "Check its power, cable and network, and whether another program uses it.",
                )
            return None
        try:
            capture = self._capture(buffer)
        finally:
            self._stream.push(buffer)
        if self._answers_missed and 0 < capture.missed <= _OWED_AT_MOST:
            return self._answer_missed(capture)
        return capture

    def trigger(self) -> None:
        try:
            self._camera.call("software_trigger")
        except AravisError as error:
            raise _explain(error, "The camera cannot be triggered") from error

    def statistics(self) -> dict[str, int]:
        """Aravis' own counts of this connection: completed, failed, underrun, resent, missing_packets."""
        return self._stream.statistics()

    def close(self) -> None:
        # It may be gone, or another program's by now: then there is nothing left to stop.
        with contextlib.suppress(AravisError):
            self._camera.call("stop_acquisition")
        self._release()
        self._camera.close()

    def _release(self) -> None:
        self._stream.close()
        if self._chunks is not None:
            self._chunks.close()

    def _capture(self, buffer: ArvBuffer) -> Capture:
        image, error = None, ""
        chunks: dict[str, int | float | str] = {}
        complete = buffer.status is BufferStatus.SUCCESS
        if complete:
            try:
                image = to_image(buffer.data(), buffer.pixel_format, *buffer.size, padding=buffer.row_padding)
                chunks = self._chunks.read(buffer) if self._chunks else {}
            except FrameError as refused:
                error = str(refused)
            except AravisError as missing:
                error = f"A chunk is missing in the frame: {missing}. Check camera.chunks."
        else:
            reason = _INCOMPLETE.get(buffer.status, f"its status is {buffer.status.name.lower()}")
            error = f"The image is incomplete: {reason}. Check MTU, socket buffer, packet delay and cable."
        frame_id, missed = self._ids.follow(buffer.frame_id, complete)
        # The times of a frame without its first packet are those of the buffer's frame before.
        headless = frame_id != buffer.frame_id
        received_ns = 0 if headless else buffer.received_at_ns
        received_s = self._clock.steady(received_ns / 1e9) if received_ns else time.monotonic()
        return Capture(
            frame_id=frame_id,
            captured_at=_moment(received_ns) if received_ns else datetime.now(timezone.utc),
            image=None if error else image,
            error=error,
            missed=missed,
            device_time_ns=None if headless else buffer.device_time_ns,
            chunks=chunks,
            captured_s=-math.inf if received_s is None else received_s,
        )

    def _answer_missed(self, capture: Capture) -> Capture:
        error = "The camera was triggered and its image never arrived. Check network and packet delay."
        lost = Capture(
            0, capture.captured_at, error=error, missed=1, lost=True, captured_s=capture.captured_s
        )
        for frame_id in range(capture.frame_id - capture.missed, capture.frame_id):
            counted_as = frame_id if frame_id > 0 else frame_id + WRAP
            self._owed.append(replace(lost, frame_id=counted_as))
        self._owed.append(replace(capture, missed=0))
        return self._owed.popleft()


def _moment(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1e9, timezone.utc)


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """A camera on the network and whether this machine can talk to it.

    Attributes:
        device: what it said of itself.
        trouble: why it cannot be reached, with the remedy; empty where it can.
    """

    device: Device
    trouble: str


def list_cameras() -> list[FoundCamera]:
    """Every GigE Vision camera that answers a search, after about a second.

    Raises:
        CameraError: the Aravis library is not installed.
    """
    listed = []
    for device in find_devices():
        route = reach(device.address)
        listed.append(FoundCamera(device, "" if route.good else f"{route.found}. {route.remedy}"))
    return listed
