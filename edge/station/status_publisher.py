"""Watches the components beside the inspection path and publishes on MQTT how they are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence

from edge.cameras import Camera, CameraState
from edge.messaging import AlarmCode, EventCode, LinkState, Publisher, StationState
from edge.station import service_manager
from edge.station.deciding import Decider
from edge.station.health import Health, Level
from edge.station.run_counters import RunCounters

_PERIOD_S = 0.25

#: After so many seconds without a further overrun the line is no longer called too fast.
_OVERRUN_LASTS_S = 10.0
#: Messages are given up for lack of room one by one for as long as a broker is away: told so often.
_DROPPED_PERIOD_S = 60.0

_OVERRUN = "Parts arrive faster than they can be inspected: some are not inspected."

_PAUSED = "Paused: every part is an error until cmd/resume."

_STORAGE = ("records", "outbox", "disk")

#: What must be well for parts to get verdicts, and their own.
_ORDERLY = ("inspector", "part_ids")

#: A camera that is looked for, opened and configured may take so long before it counts as lost.
_OPENING_S = 5.0
_LOST = (CameraState.LOST, CameraState.BACKING_OFF)
_WELL = (CameraState.STREAMING, CameraState.CLOSED)
_LINK_IS_WELL = (LinkState.CONNECTED, LinkState.CONNECTING, LinkState.DISABLED)


class StatusPublisher:
    """Publishes ``state`` when it changes, ``event`` when one happens, ``heartbeat`` while it is well.

    A station that hangs is at fault and its heart does not beat, neither for the PLC nor for systemd's
    watchdog.

    Args:
        counters: gives the counters at any moment.
        product: the one at the start.
        bundle, engine: what sees, for ``state``.
        decider: whose language worker is watched; None where the calibrated score decides.
        hang: why no part is judged though one is there; empty while all is well.
    """

    def __init__(
        self,
        cameras: Sequence[Camera],
        publisher: Publisher,
        health: Health,
        counters: Callable[[], RunCounters],
        *,
        product: str,
        bundle: str,
        engine: str = "",
        decider: Decider | None = None,
        hang: Callable[[], str] = str,
    ) -> None:
        self._hang = hang
        self._decider = decider
        self._decided_by = "calibration" if decider is None else decider.decided_by
        self._worker_restarts = 0
        self._cameras = {"camera" if len(cameras) == 1 else f"camera {one.name}": one for one in cameras}
        self._publisher = publisher
        self._health = health
        self._counters = counters
        self._product = product
        self._bundle = bundle
        self._engine = engine
        self._finished = threading.Event()
        self._told = RunCounters()
        self._overrun_until_s = 0.0
        self._camera_well_s = dict.fromkeys(self._cameras, time.monotonic())
        self._dropped = -1  # before the first look
        self._dropped_told_s = -_DROPPED_PERIOD_S
        self._levels: dict[str, Level] = {}
        self._paused = False
        self._told_state: tuple[StationState, str, str] | None = None

    def run(self) -> None:
        """Watch until :meth:`finish`; for a thread of its own."""
        self._event(EventCode.STARTED, f"bundle {self._bundle}")
        service_manager.notify(service_manager.READY)
        self._beat()
        while not self._finished.wait(_PERIOD_S):
            self._beat()
        self._beat()
        self._event(EventCode.STOPPED, str(self._counters()))

    def product_changed(self, product: str, sender: str) -> None:
        """The judge has another product from the next part on, as this sender asked for."""
        self._product = product
        self._event(EventCode.PRODUCT_CHANGED, f"{product}, asked for by {sender}")

    def paused(self, paused: bool) -> None:
        """The station is paused from the next part on, or inspects again."""
        self._paused = paused
        self._event(EventCode.PAUSED if paused else EventCode.RESUMED, _PAUSED if paused else "")

    def finish(self) -> None:
        """The run is over: look once more, say so, end."""
        self._finished.set()

    def _beat(self) -> None:
        for component, camera in self._cameras.items():
            self._watch_camera(component, camera)
        hang = self._hang()
        self._health.set("inspector", Level.FAULT if hang else Level.OK, hang)
        self._watch_line()
        self._watch_language()
        self._watch_link()
        self._tell_changes()
        fault = self._health.level is Level.FAULT
        doing = StationState.PAUSED if self._paused else StationState.RUNNING
        state = StationState.FAULT if fault else doing
        told = (state, self._product, str(self._health) or (_PAUSED if self._paused else ""))
        if told != self._told_state:
            self._told_state = told
            self._publisher.set_state(
                state,
                product=told[1],
                bundle=self._bundle,
                text=told[2],
                decided_by=self._decided_by,
                engine=self._engine,
            )
            service_manager.notify(service_manager.status(f"{state.name.lower()} {told[1]} {told[2]}"))
        if not hang:
            self._publisher.heartbeat()
            service_manager.notify(service_manager.WATCHDOG)

    def _watch_camera(self, component: str, camera: Camera) -> None:
        status, now = camera.status, time.monotonic()
        if status.state in _WELL:
            self._camera_well_s[component] = now
        lost = status.state in _LOST or now - self._camera_well_s[component] > _OPENING_S
        self._health.set(component, Level.FAULT if lost else Level.OK, status.detail if lost else "")

    def _watch_line(self) -> None:
        """Overruns and missed parts: one event when a burst begins, not one for each part."""
        counters, before, now = self._counters(), self._told, time.monotonic()
        self._told = counters
        if counters.missed > before.missed:
            self._event(EventCode.MISSED_TRIGGER, f"{counters.missed} parts missed by the camera so far")
        if counters.overrun > before.overrun:
            if now >= self._overrun_until_s:
                self._event(EventCode.OVERRUN, _OVERRUN)
            self._overrun_until_s = now + _OVERRUN_LASTS_S
        overrun = now < self._overrun_until_s
        self._health.set("line", Level.DEGRADED if overrun else Level.OK, _OVERRUN if overrun else "")

    def _watch_language(self) -> None:
        """The worker's process, also where it ended and came back between two beats; and its verdicts."""
        if self._decider is None:
            return
        restarts, now = self._decider.worker.restarts, self._decider.condition
        if restarts > self._worker_restarts and now.level is Level.OK:
            if self._levels.get("language", Level.OK) is Level.OK:
                self._health.set("language", Level.DEGRADED, "The worker process ended and was restarted.")
            self._worker_restarts = restarts
            self._event(EventCode.COMPONENT_RESTARTED, "language worker")
        self._health.set("language", now.level, now.detail)

    def _watch_link(self) -> None:
        status = self._publisher.status()
        well = status.link.state in _LINK_IS_WELL and not status.forbidden
        level = Level.OK if well else Level.DEGRADED
        self._health.set("broker", level, "" if well else str(status), logged=True)
        disk = Level.OK if status.durable else Level.FAULT
        self._health.set("disk", disk, "" if status.durable else status.fault, logged=True)
        self._watch_dropped(sum(status.dropped.values()))

    def _watch_dropped(self, dropped: int) -> None:
        """An event for what the outbox gave up; its counter goes on over restarts."""
        now = time.monotonic()
        if self._dropped < 0:
            self._dropped = dropped
        elif dropped > self._dropped and now >= self._dropped_told_s + _DROPPED_PERIOD_S:
            text = f"{dropped - self._dropped} messages were dropped for lack of space, {dropped} in all."
            self._event(EventCode.OUTBOX_DROPPED, text)
            self._dropped, self._dropped_told_s = dropped, now

    def _tell_changes(self) -> None:
        """An event for what broke or came back since the last beat, whoever noticed it."""
        for component, condition in self._health.conditions().items():
            before = self._levels.get(component, Level.OK)
            self._levels[component] = condition.level
            if condition.level is before:
                continue
            broken = condition.level is not Level.OK
            if component in self._cameras:
                text = condition.detail if component == "camera" else f"{component}: {condition.detail}"
                self._event(EventCode.CAMERA_LOST if broken else EventCode.CAMERA_BACK, text)
                self._publisher.alarm(AlarmCode.CAMERA, active=self._any_broken(self._cameras), text=text)
            elif component in _STORAGE:
                still = self._any_broken(_STORAGE)
                self._publisher.alarm(AlarmCode.STORAGE, active=still, text=condition.detail)
                if broken:
                    self._event(EventCode.STORAGE_FAULT, f"{component}: {condition.detail}")
            elif component in _ORDERLY:
                still = self._any_broken(_ORDERLY)
                self._publisher.alarm(AlarmCode.COMPONENT, active=still, text=condition.detail)

    def _any_broken(self, components: Iterable[str]) -> bool:
        return any(self._levels.get(one, Level.OK) is not Level.OK for one in components)

    def _event(self, code: EventCode, text: str) -> None:
        self._publisher.event(code, text, product=self._product)
