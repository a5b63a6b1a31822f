"""What each command of the PLC does at this station."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.cameras import Camera
from edge.messaging.commands import CommandRefusedError
from edge.station.line_enrollment import LineEnrollment
from edge.station.pause import Pause
from edge.station.product_switch import ProductSwitch
from edge.station.triggers import Triggers

if TYPE_CHECKING:
    from edge.messaging import Publisher
    from edge.messaging.commands import Command


@dataclass(frozen=True, slots=True)
class Orders:
    """What the PLC has asked for, as the station's threads look at it between two parts.

    Attributes:
        switch: another product.
        pause: no inspection.
        enrollment: images for a product instead of verdicts.
        triggers: the names of the parts that come; None where the camera names them.
    """

    switch: ProductSwitch
    pause: Pause
    enrollment: LineEnrollment
    triggers: Triggers | None = None


def obey(publisher: Publisher, orders: Orders, camera: Camera) -> None:
    """Have a publisher's commands done; before it starts.

    A trigger announces its part where parts are named by the PLC; else the camera itself takes an
    image of it, which software-triggered cameras can.
    """

    def trigger(command: Command) -> str:
        if orders.pause.error:
            raise CommandRefusedError("The station is paused.", "Send cmd/resume first.")
        part_id = command.part_id or command.id
        if orders.triggers is not None:
            orders.triggers.expect(part_id)
            return f"The next image is of part {part_id}."
        take_image = getattr(camera, "trigger", None)
        if take_image is None:
            raise CommandRefusedError(
                f"Camera {camera.name} takes no trigger.", "Set part_ids.source to plc to name its images."
            )
        take_image(part_id)
        return f"An image of part {part_id} is taken."

    def pause(command: Command) -> Future[str]:
        orders.enrollment.cancel("The station was paused.")
        return orders.pause.ask(command)

    publisher.handle("trigger", trigger)
    publisher.handle("product", orders.switch.ask)
    publisher.handle("pause", pause)
    publisher.handle("resume", orders.pause.ask)
    publisher.handle("enroll", orders.enrollment.ask)
