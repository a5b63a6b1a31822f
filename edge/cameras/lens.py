"""Choosing the lens' field so that the smallest defect can be seen.

An encoder sees patches, not pixels: a defect smaller than a patch disappears in its average. One
that spans two patches covers at least one of them wholly, wherever it lies on the grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge.errors import CameraError

PATCHES_PER_DEFECT = 2


@dataclass(frozen=True, slots=True)
class FieldOfView:
    """What one image may show.

    Attributes:
        field_mm: the longest side that one image may cover.
        patch_mm: what one patch sees of it.
        images_per_part: images that cover the part's longest side.
        sensor_px: pixels that the camera needs along that side; more gain nothing.
        focal_length_mm: of the lens that gives this field; None without sensor and distance.
    """

    field_mm: float
    patch_mm: float
    images_per_part: int
    sensor_px: int
    focal_length_mm: float | None


def widest_field(
    defect_mm: float,
    part_mm: float,
    input_px: int = 448,
    patch_px: int = 14,
    sensor_mm: float | None = None,
    distance_mm: float | None = None,
) -> FieldOfView:
    """The field in which the smallest defect still spans two patches.

    Args:
        defect_mm: the smallest defect that must be found, across its narrow side.
        part_mm: the longest side of the part.
        input_px, patch_px: of the bundle's encoder.
        sensor_mm: length of the sensor's side that looks along the part's longest side.
        distance_mm: from lens to part.

    The focal length is the thin lens' ``f = distance * m / (1 + m)`` with the magnification
    ``m = sensor / field``.

    Raises:
        CameraError: a length that is no length, a defect that is larger than the part, or an input
            that holds no two patches.
    """
    lengths = {"smallest defect": defect_mm, "part": part_mm, "sensor": sensor_mm, "distance": distance_mm}
    for name, length in lengths.items():
        if length is not None and not (0 < length < math.inf):
            raise CameraError(f"The {name} is {length:g} mm.", "Give a length above 0 in millimetres.")
    if defect_mm > part_mm:
        raise CameraError(
            f"The smallest defect ({defect_mm:g} mm) is larger than the part ({part_mm:g} mm).",
            "Give the smallest defect that must be found.",
        )
    if patch_px < 1 or input_px < PATCHES_PER_DEFECT * patch_px:
        raise CameraError(
            f"An input of {input_px} px does not contain {PATCHES_PER_DEFECT} patches of {patch_px} px.",
            "Take both from the bundle's manifest.",
        )
    limit_mm = defect_mm * input_px / (PATCHES_PER_DEFECT * patch_px)
    images = max(1, math.ceil(part_mm / limit_mm - 1e-9))
    # One image that shows the whole part need not show more than that.
    field_mm = limit_mm if images > 1 else min(limit_mm, part_mm)
    focal_length_mm = None
    if sensor_mm is not None and distance_mm is not None:
        magnification = sensor_mm / field_mm
        focal_length_mm = distance_mm * magnification / (1 + magnification)
    return FieldOfView(field_mm, field_mm * patch_px / input_px, images, input_px, focal_length_mm)
