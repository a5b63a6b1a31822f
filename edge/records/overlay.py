"""The picture of a verdict: the anomaly map over the image, the regions, and what was said.

The map is drawn on the scale that all products share (0 good, 1 simulated defect), so a colour means
the same on every product: clear up to what good parts show, warm from there, bright at a defect.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edge.inspection import Inspection, Verdict

if TYPE_CHECKING:
    from edge.image_types import Array, Image
    from edge.records.lettering import Colour, Lettering

#: The drawn picture's longer side, px: small images are enlarged for the text, large ones reduced.
MIN_SIDE_PX = 480
MAX_SIDE_PX = 1600

#: Map values where the heat begins to show and where it is fully drawn.
_CLEAR = 0.15
_FULL = 1.0
_MOST_OPAQUE = 0.65

COLOURS: dict[Verdict, Colour] = {
    # BGR; white letters on each have a contrast of at least 4.5 to 1.
    Verdict.OK: (66, 125, 27),
    Verdict.NG: (40, 40, 198),
    Verdict.ERROR: (8, 96, 176),
}
_STRIP = (36, 33, 30)
_TEXT = (240, 240, 240)
_FAINT = (176, 170, 165)


Outlines = Sequence[Sequence[tuple[int, int]]]
"""Corners (x, y) of what was looked at, in pixels of the image."""


def draw_overlay(
    image: Image, anomaly_map: Array | None, inspection: Inspection, outlines: Outlines = ()
) -> Image:
    """The image with heat, boxes and a strip that says the verdict.

    Args:
        image: uint8 (H, W) grey or (H, W, 3) BGR.
        anomaly_map: float32 (h, w) of any size over the whole image; None draws no heat.
        inspection: its regions are in pixels of ``image``.
        outlines: of what was looked at, where that is not the whole image.

    Returns:
        uint8 (H', W', 3) BGR, the strip below the image included.
    """
    import numpy as np

    picture = heat_overlay(image, anomaly_map, inspection, outlines)
    return np.vstack([picture, verdict_strip(inspection, picture.shape[1])])


def heat_overlay(
    image: Image, anomaly_map: Array | None, inspection: Inspection, outlines: Outlines = ()
) -> Image:
    """The image with heat and boxes, without the strip; as :func:`draw_overlay` otherwise."""
    picture, scale = display_image(image)
    if anomaly_map is not None:
        picture = _blend(picture, anomaly_map)
    _draw_outlines(picture, outlines, scale)
    _draw_regions(picture, inspection, scale)
    return picture


def _draw_outlines(picture: Image, outlines: Outlines, scale: tuple[float, float]) -> None:
    """Dark and light lines beside each other: one of them is seen on any image."""
    import cv2
    import numpy as np

    for outline in outlines:
        corners = np.round(np.array(outline) * scale).astype(np.int32)
        for colour, thickness in ((_STRIP, 3), (_TEXT, 1)):
            cv2.polylines(picture, [corners], True, colour, thickness, cv2.LINE_AA)


def display_image(image: Image) -> tuple[Image, tuple[float, float]]:
    """The image as BGR of a size to look at, and the scale (x, y) from its pixels to the picture's."""
    import cv2

    height, width = image.shape[:2]
    longer = max(height, width)
    factor = min(max(longer, MIN_SIDE_PX), MAX_SIDE_PX) / longer
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    picture = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image.copy()
    if size != (width, height):
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    return picture, (size[0] / width, size[1] / height)


def verdict_strip(inspection: Inspection, width_px: int, note: str = "") -> Image:
    """A strip ``width_px`` wide: the verdict as a coloured label, then score, place, product and part.

    Returns:
        uint8 (h, width_px, 3) BGR.
    """
    import numpy as np

    from edge.records.lettering import BOLD, Lettering

    letters = Lettering()
    size = _text_px(width_px)
    pad = size // 2
    strip = np.full((size * 3 + pad, width_px, 3), _STRIP, np.uint8)
    label = inspection.verdict.value.upper()
    label_size = round(size * 1.3)
    label_px = letters.width(label, label_size, BOLD) + 2 * pad
    strip[:, :label_px] = COLOURS[inspection.verdict]
    letters.draw(strip, label, (pad, (strip.shape[0] + label_size * 7 // 10) // 2), label_size, weight=BOLD)

    left = label_px + pad
    room = width_px - left - pad
    first = letters.fitted(_finding(inspection), room, size, BOLD)
    second = letters.fitted(note or _identity(inspection), room, size)
    letters.draw(strip, first, (left, pad + size), size, _TEXT, BOLD)
    letters.draw(strip, second, (left, pad // 2 + round(size * 2.6)), size, _FAINT)
    return strip


def _finding(inspection: Inspection) -> str:
    if inspection.verdict is Verdict.ERROR:
        return inspection.error
    parts = [] if inspection.score is None else [f"score {inspection.score:.2f}"]
    if inspection.location:
        parts.append(inspection.location)
    if inspection.review:
        parts.append("review")
    return " · ".join(parts)


def _identity(inspection: Inspection) -> str:
    return " · ".join(text for text in (inspection.product, inspection.part_id) if text)


def _blend(picture: Image, anomaly_map: Array) -> Image:
    import cv2
    import numpy as np

    height, width = picture.shape[:2]
    values = np.nan_to_num(np.asarray(anomaly_map, np.float32), nan=0.0, posinf=_FULL, neginf=0.0)
    values = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    strength = np.clip((values - _CLEAR) / (_FULL - _CLEAR), 0.0, 1.0)
    # Inferno rises in lightness throughout; its dark half would look like dirt on the part.
    colour = cv2.applyColorMap((110 + strength * 135).astype(np.uint8), cv2.COLORMAP_INFERNO)
    # The root makes weak heat seen on a part; the ramp lets it begin without an edge.
    opacity = (np.sqrt(strength) * np.minimum(strength * 10, 1.0) * _MOST_OPAQUE)[..., None]
    return np.asarray(picture * (1 - opacity) + colour * opacity + 0.5, np.uint8)


def _draw_regions(picture: Image, inspection: Inspection, scale: tuple[float, float]) -> None:
    import cv2

    from edge.records.lettering import BOLD, Lettering

    if not inspection.regions:
        return
    letters = Lettering()
    line = max(1, round(max(picture.shape[:2]) / 400))
    size = _text_px(picture.shape[1])
    for region in inspection.regions:
        left, top = int(region.x * scale[0]), int(region.y * scale[1])
        right = round((region.x + region.width) * scale[0]) - 1
        bottom = round((region.y + region.height) * scale[1]) - 1
        # Dark under light: the box is seen on any part.
        cv2.rectangle(picture, (left, top), (right, bottom), (0, 0, 0), line + 2)
        cv2.rectangle(picture, (left, top), (right, bottom), (255, 255, 255), line)
        _tag(picture, letters, f"{region.peak:.2f}", (left, top, bottom), size, BOLD)


def _tag(
    picture: Image,
    letters: Lettering,
    text: str,
    box: tuple[int, int, int],
    size: int,
    weight: int,
) -> None:
    left, top, bottom = box
    width = letters.width(text, size, weight) + size // 2
    height = size + size // 4
    # Above the box; below it at the picture's upper edge, and inside where neither has room.
    y = top - height if top >= height else min(bottom + 1, picture.shape[0] - height)
    x = max(0, min(left, picture.shape[1] - width))
    picture[y : y + height, x : x + width] = (255, 255, 255)
    letters.draw(picture, text, (x + size // 4, y + size), size, (20, 20, 20), weight)


def _text_px(width_px: int) -> int:
    return max(13, round(width_px / 36))
