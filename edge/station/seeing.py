"""Which camera sees which of a product's views, and what a judge needs of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.cameras import CameraSettings
from edge.errors import ProductError
from edge.station.product import MAIN_VIEW, check_description, check_learned_by
from edge.station.products import Products

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from edge.vision.memory import Memory


@dataclass(frozen=True, slots=True)
class SeenProduct:
    """A product as the cameras of a station see it.

    Attributes:
        name: the product's.
        description: in words.
        memories: what was learned of each view, by its name.
        cameras: which views each camera sees; empty where the product has one view: each image is a part
            then, whichever camera it is of.
    """

    name: str
    description: str
    memories: Mapping[str, Memory]
    cameras: Mapping[str, tuple[str, ...]]


def seen(
    products: Products,
    name: str,
    bundle: Bundle,
    cameras: Sequence[CameraSettings] = (),
    *,
    plc_names_parts: bool = False,
) -> SeenProduct:
    """A product that is to be inspected.

    Args:
        cameras: the station's; none: the main view alone is looked at.
        plc_names_parts: the station's PLC announces each part to all of its cameras.

    Raises:
        ProductError: it is not enrolled, a memory is damaged, another bundle learned it, its description is
            too long for the language model, or the cameras cannot see its views.
    """
    views = products.views(name) if cameras else {MAIN_VIEW: products.get(name)}
    for view in views.values():
        check_learned_by(bundle.id, view)
    description = views[MAIN_VIEW].description
    check_description(description, bundle)
    assigned = views_by_camera(name, [*views], cameras, plc_names_parts) if len(views) > 1 else {}
    return SeenProduct(name, description, {view: each.memory() for view, each in views.items()}, assigned)


def views_by_camera(
    product: str, views: Sequence[str], cameras: Sequence[CameraSettings], plc_names_parts: bool
) -> dict[str, tuple[str, ...]]:
    """Which of several views each camera sees: those it is told to, or the one with its name, or main.

    A station's only camera sees all of them.

    Args:
        product: its name, for errors.
        plc_names_parts: as in :func:`seen`.

    Raises:
        ProductError: a view that no camera sees or more than one does, a camera that sees none, or cameras of
            whose images nothing tells which are of the same part.
    """
    if len(cameras) == 1 and not cameras[0].views:
        return {cameras[0].name: tuple(views)}
    assigned = {one.name: _seen_by(one, views) for one in cameras}
    remedy = f"Say with the cameras' key views which of these each sees: {', '.join(views)}."
    for camera, sees in assigned.items():
        if not sees:
            raise ProductError(f"Camera {camera} sees no view of {product}.", remedy)
    for view in views:
        seeing = [camera for camera, sees in assigned.items() if view in sees]
        if len(seeing) != 1:
            who = f"the cameras {' and '.join(seeing)}" if seeing else "no camera"
            raise ProductError(f"The view {view} of {product} is seen by {who}.", remedy)
    nameless = [one.name for one in cameras if not (plc_names_parts or one.names_parts)]
    if nameless:
        raise ProductError(
            f"{product} is seen by several cameras, and nothing tells which images of {nameless[0]} and of "
            "the others are of the same part.",
            "Set part_ids.source: plc, or trigger the cameras by software.",
        )
    return assigned


def _seen_by(camera: CameraSettings, views: Sequence[str]) -> tuple[str, ...]:
    if camera.views:
        return tuple(view for view in camera.views if view in views)
    return (camera.name if camera.name in views else MAIN_VIEW,)
