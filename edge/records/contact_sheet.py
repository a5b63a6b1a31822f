"""Many verdicts on one page: each part as captured and with its overlay, and what was said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.inspection import Inspection
from edge.records.overlay import display_image, heat_overlay, verdict_strip

if TYPE_CHECKING:
    from edge.image_types import Array, Image

_GROUND = (24, 22, 20)
_GAP_PX = 14
_SEAM_PX = 3


@dataclass(frozen=True, slots=True)
class SheetItem:
    """One part of the sheet.

    Attributes:
        inspection: what was said of it.
        image: uint8 (H, W) grey or (H, W, 3) BGR; None leaves its place dark.
        anomaly_map: float32 (h, w); None draws no heat.
        note: the second line under the part, such as its true label; empty: product and part.
    """

    inspection: Inspection
    image: Image | None
    anomaly_map: Array | None = None
    note: str = ""


def contact_sheet(
    items: Sequence[SheetItem], columns: int = 2, side_px: int = 320, title: str = "", subtitle: str = ""
) -> Image:
    """Lay the items out from left to right and from top to bottom.

    Args:
        items: at least one.
        columns: tiles in a row; a tile is the image and its overlay side by side.
        side_px: room for each of the two pictures, px square; they keep their shape.
        title, subtitle: a heading; empty for none.

    Returns:
        uint8 (H, W, 3) BGR; :func:`edge.records.images.write_image` makes it a file.
    """
    import numpy as np

    tiles = [_tile(item, side_px) for item in items]
    height, width = tiles[0].shape[:2]
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    head = _heading(title, subtitle, columns * (width + _GAP_PX) + _GAP_PX)
    body = np.full((rows * (height + _GAP_PX) + _GAP_PX, head.shape[1], 3), _GROUND, np.uint8)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        y, x = _GAP_PX + row * (height + _GAP_PX), _GAP_PX + column * (width + _GAP_PX)
        body[y : y + height, x : x + width] = tile
    return np.vstack([head, body])


def _tile(item: SheetItem, side_px: int) -> Image:
    import numpy as np

    pair = np.full((side_px, 2 * side_px + _SEAM_PX, 3), _GROUND, np.uint8)
    if item.image is not None:
        _place(pair, display_image(item.image)[0], 0, side_px)
        _place(pair, heat_overlay(item.image, item.anomaly_map, item.inspection), side_px + _SEAM_PX, side_px)
    return np.vstack([pair, verdict_strip(item.inspection, pair.shape[1], item.note)])


def _place(canvas: Image, picture: Image, left: int, side_px: int) -> None:
    import cv2

    height, width = picture.shape[:2]
    factor = side_px / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    top, left = (side_px - size[1]) // 2, left + (side_px - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = small


def _heading(title: str, subtitle: str, width_px: int) -> Image:
    import numpy as np

    from edge.records.lettering import BOLD, Lettering

    if not title and not subtitle:
        return np.full((0, width_px, 3), _GROUND, np.uint8)
    letters = Lettering()
    head = np.full((82 if subtitle else 50, width_px, 3), _GROUND, np.uint8)
    room = width_px - 2 * _GAP_PX
    letters.draw(head, letters.fitted(title, room, 28, BOLD), (_GAP_PX, 40), 28, (245, 245, 245), BOLD)
    letters.draw(head, letters.fitted(subtitle, room, 17), (_GAP_PX, 70), 17, (176, 170, 165))
    return head
