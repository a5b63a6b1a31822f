"""Text on pictures: OpenCV 5's own TrueType face, or the stroke letters of OpenCV 4."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.image_types import Image

Colour = tuple[int, int, int]
REGULAR = 400
BOLD = 700


class Lettering:
    """Draws and measures lines of text.

    Args:
        strokes: use the stroke letters (ASCII only) even where OpenCV has a TrueType face.
    """

    def __init__(self, strokes: bool = False) -> None:
        import cv2

        self._face: Any = None if strokes or not hasattr(cv2, "FontFace") else cv2.FontFace("sans")

    def width(self, text: str, size_px: int, weight: int = REGULAR) -> int:
        """Width in pixels of ``text`` in letters ``size_px`` high."""
        import cv2

        text = _drawable(text)
        if self._face is not None:
            _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), self._face, size_px, weight)
            return int(width)
        scale, thickness = _strokes(size_px, weight)
        return int(cv2.getTextSize(_ascii(text), cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)[0][0])

    def draw(
        self,
        image: Image,
        text: str,
        origin: tuple[int, int],
        size_px: int,
        colour: Colour = (255, 255, 255),
        weight: int = REGULAR,
    ) -> None:
        """Write ``text`` with its baseline's left end at ``origin`` (x, y) into ``image``."""
        import cv2

        text = _drawable(text)
        if self._face is not None:
            cv2.putText(image, text, origin, colour, self._face, size_px, weight)
            return
        scale, thickness = _strokes(size_px, weight)
        cv2.putText(
            image, _ascii(text), origin, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA
        )

    def fitted(self, text: str, room_px: int, size_px: int, weight: int = REGULAR) -> str:
        """``text``, or its beginning with an ellipsis where it is wider than ``room_px``."""
        if self.width(text, size_px, weight) <= room_px:
            return text
        for end in range(len(text) - 1, 0, -1):
            shortened = text[:end].rstrip() + "…"
            if self.width(shortened, size_px, weight) <= room_px:
                return shortened
        return ""


def _strokes(size_px: int, weight: int) -> tuple[float, int]:
    # The stroke letters' capitals are 21 units high at scale 1, and a TrueType capital 0.7 of its size.
    return size_px * 0.7 / 21, max(1, round(size_px * weight / 8000))


def _drawable(text: str) -> str:
    # A lone surrogate (a file name that is not UTF-8) is a segmentation fault in OpenCV 5.0.
    return "".join("?" if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in text)


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.replace("…", "...").replace("·", "-"))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return plain.encode("ascii", "replace").decode()
