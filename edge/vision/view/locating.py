"""Finding the part in an image: what differs from the image's border.

It answers only where one thing stands out of a plain ground, as on a backlight, a belt or a sheet. On a
texture, or a part that fills the frame, there is nothing to find.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.image_types import Image

_SIDE_PX = 256
_BLUR_PX = 1.2
_BORDER_PX = 3
# Of the ways to split an image in two (Otsu, 1979) the best one explains so much of its variance where one
# thing lies on a plain ground: .77 and more on screws, plates and pills, less than that on papers and tiles.
_LEAST_EXPLAINED = 0.72
# The share of the border that is ground.
_LEAST_PLAIN = 0.9
# The mean distance of part and ground, in units of CIE Lab.
_LEAST_CONTRAST = 20.0
_SHARES = (0.005, 0.8)
# A second thing of this share of the first one is another part, not a crumb.
_ANOTHER = 0.5


@dataclass(frozen=True, slots=True)
class Located:
    """A part in an image.

    Attributes:
        box: x, y, width, height in pixels of the image.
        share: of the image's area that it covers.
        others: how many things as large as that there are beside it.
        is_clear: whether it stands out of a plain ground.
    """

    box: tuple[float, float, float, float]
    share: float
    others: int
    is_clear: bool


def locate(image: Image) -> Located | None:
    """The largest thing in an image; None where nothing stands out at all.

    Args:
        image: uint8 (H, W) or (H, W, 3).
    """
    height, width = image.shape[:2]
    step = max(1, max(height, width) // (2 * _SIDE_PX))  # few pixels are enough to find it, and all are slow
    image = np.ascontiguousarray(image[::step, ::step])
    scale = min(1.0, _SIDE_PX / max(height, width))
    size = max(8, round(width * scale)), max(8, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    colour = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR) if small.ndim == 2 else small
    lab = cv2.cvtColor(cv2.GaussianBlur(colour, (0, 0), _BLUR_PX), cv2.COLOR_BGR2LAB).astype(np.float32)
    edge = np.ones(lab.shape[:2], bool)
    edge[_BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX] = False
    distance = np.linalg.norm(lab - np.median(lab[edge], axis=0), axis=2)
    levels = np.clip(distance, 0, 255).astype(np.uint8)
    threshold, apart = cv2.threshold(levels, 0, 1, cv2.THRESH_OTSU)
    if not apart.any() or apart.all():
        return None
    inside, outside = levels[apart > 0].mean(), levels[apart == 0].mean()
    share = float(apart.mean())
    explained = share * (1 - share) * (inside - outside) ** 2 / max(float(levels.var()), 1e-6)
    closed = cv2.morphologyEx(apart, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    largest = stats[1 + int(areas.argmax())]
    across, down = width / size[0], height / size[1]
    share = float(areas.max()) / (size[0] * size[1])
    return Located(
        box=(
            float(largest[cv2.CC_STAT_LEFT]) * across,
            float(largest[cv2.CC_STAT_TOP]) * down,
            float(largest[cv2.CC_STAT_WIDTH]) * across,
            float(largest[cv2.CC_STAT_HEIGHT]) * down,
        ),
        share=share,
        others=int((areas >= _ANOTHER * areas.max()).sum()) - 1,
        is_clear=bool(
            explained >= _LEAST_EXPLAINED
            and (distance[edge] <= threshold).mean() >= _LEAST_PLAIN
            and inside - outside >= _LEAST_CONTRAST
            and _SHARES[0] <= share <= _SHARES[1]
        ),
    )
