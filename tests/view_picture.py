"""The picture of the views in docs/method.md: ``python -m tests.view_picture``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from edge.image_bytes import write_png
from edge.image_types import Image
from edge.records.overlay import heat_overlay
from edge.vision.view import View, cut
from tests.edge.records.parts import inspected

FILE = Path(__file__).parents[1] / "docs" / "images" / "view.png"
SIDE = 300
SIZE = (448, 448)
PLAIN = inspected(verdict="ok", regions=(), location="")


def bolt(x: int, y: int, angle_deg: float) -> Image:
    """A bolt with a nick in its thread, its middle at (x, y), on a grey sheet."""
    flat = np.full((SIDE, SIDE, 3), 200, np.uint8)
    cv2.rectangle(flat, (95, 140), (215, 160), (120, 110, 105), -1)
    cv2.rectangle(flat, (80, 125), (100, 175), (90, 82, 78), -1)
    for across in range(135, 215, 8):
        cv2.line(flat, (across, 138), (across - 4, 162), (60, 55, 52), 2)
    cv2.circle(flat, (178, 141), 4, (200, 200, 200), -1)
    cv2.fillConvexPoly(flat, np.array([[215, 140], [215, 160], [225, 150]]), (120, 110, 105))
    turn = cv2.getRotationMatrix2D((150, 150), -angle_deg, 1.0)
    turn[:, 2] += (x - 150, y - 150)
    return np.asarray(cv2.warpAffine(flat, turn, (SIDE, SIDE), borderValue=(200, 200, 200)), np.uint8)


def column(image: Image, view: View) -> Image:
    """An image with what is looked at outlined, and below it what the graph sees."""
    learned = view.learned_from([bolt(150, 150, 0)], SIZE)
    placement = learned.placed(image, SIZE)
    above = cv2.resize(heat_overlay(image, None, PLAIN, placement.outlines()), (SIDE, SIDE))
    pieces = cut(placement.seen(image), learned.tiles)
    gap = 6
    width = (SIDE - gap * (len(pieces) - 1)) // len(pieces)
    below = np.full((SIDE, SIDE, 3), 255, np.uint8)
    for number, piece in enumerate(pieces):
        left = number * (width + gap)
        below[:width, left : left + width] = cv2.resize(piece, (width, width), interpolation=cv2.INTER_LINEAR)
    return np.vstack([above, np.full((gap, SIDE, 3), 255, np.uint8), below])


def main() -> None:
    """Writes the picture."""
    image = bolt(110, 175, -35)
    views = [View(), View(locate="crop"), View(locate="align")]
    views.append(replace(views[-1], detail_px=3.0))
    columns = [column(image, view) for view in views]
    gap = np.full((columns[0].shape[0], 12, 3), 255, np.uint8)
    write_png(FILE, np.hstack([each for one in columns for each in (one, gap)][:-1]))


if __name__ == "__main__":
    main()
