"""What each command of the PLC does at this station."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.cameras import Camera
from edge.errors import CameraError
from edge.messaging import CommandRefusedError
from edge.station.line_enrollment import LineEnrollment
from edge.station.pause import Pause
from edge.station.product_switch import ProductSwitch
from edge.station.triggers import Triggers

if TYPE_CHECKING:
    from edge.messaging import Command, Publisher


@dataclass(frozen=True, slots=True)
class CommandState:
    """What the PLC has asked for, as the station's threads look at it between two parts.

    Attributes:
        switch: another product.
        pause: no inspection.
        enrollment: images for a product instead of verdicts.
        triggers: for each camera, the names of the parts that come to it; empty where cameras name them.
    """

    switch: ProductSwitch
    pause: Pause
    enrollment: LineEnrollment
    triggers: Mapping[str, Triggers] = field(default_factory=dict)


def obey(publisher: Publisher, command_state: CommandState, cameras: Sequence[Camera]) -> None:
    """Have a publisher's commands done; before it starts.

    A trigger announces its part to every camera where parts are named by the PLC; else every
    software-triggered camera takes an image of it.
    """
    triggered = [camera for camera in cameras if camera.takes_trigger]
    if publisher.handshake is not None:
        publisher.handshake.expect_views(len(command_state.triggers) or len(triggered) or 1)

    def trigger(command: Command) -> str:
        if command_state.pause.error:
            raise CommandRefusedError("The station is paused.", "Send cmd/resume first.")
        part_id = command.part_id or command.id
        if command_state.triggers:
            for expected in command_state.triggers.values():
                expected.expect(part_id, command.acquisition)
            return f"The next image will be part {part_id}."
        if not triggered:
            raise CommandRefusedError(
                f"Camera {', '.join(camera.name for camera in cameras)} cannot be triggered by command.",
                "Set part_ids.source: plc to announce its parts instead.",
            )
        refusals = [
            error for camera in triggered if (error := _refusal(camera, part_id, command.acquisition))
        ]
        if refusals:
            raise refusals[0]
        return f"An image of part {part_id} is being taken."

    def pause(command: Command) -> Future[str]:
        command_state.enrollment.cancel("The station was paused.")
        return command_state.pause.ask(command)

    publisher.handle("trigger", trigger)
    publisher.handle("product", command_state.switch.ask)
    publisher.handle("pause", pause)
    publisher.handle("resume", command_state.pause.ask)
    publisher.handle("enroll", command_state.enrollment.ask)


def _refusal(camera: Camera, part_id: str, acquisition: int) -> CameraError | None:
    """Why a camera takes no image of a part; the others shall take theirs all the same."""
    try:
        camera.trigger(part_id, acquisition)
    except CameraError as error:
        return error
    return None
