"""Finding the part in an image: what differs from the image's border.

It answers only where one thing stands out of a plain ground, as on a backlight, a belt or a sheet. On a
texture, or a part that fills the frame, there is nothing to find.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from edge.image_types import Image, Mask

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
class TurnedBox:
    """A box that need not be upright.

    Attributes:
        middle: x and y in pixels of the image.
        width, height: along the part's axis and across it.
        angle_deg: of the axis to the image's rows, clockwise as it is seen, -180 to 180; it points to the end
            that the part tapers off to, as a screw's tip.
        elongation: how many times as long as wide the part is, by its moments: an axis of a part that is
            hardly longer than wide means nothing.
    """

    middle: tuple[float, float]
    width: float
    height: float
    angle_deg: float
    elongation: float


@dataclass(frozen=True, slots=True)
class Located:
    """A part in an image.

    Attributes:
        box: x, y, width, height in pixels of the image.
        turned: the same along the part's own long axis: centre, width and height, and the angle.
        share: of the image's area that it covers.
        others: how many things as large as that there are beside it.
        is_clear: whether it stands out of a plain ground.
    """

    box: tuple[float, float, float, float]
    turned: TurnedBox
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
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    number = 1 + int(areas.argmax())
    largest = stats[number]
    across, down = width / size[0], height / size[1]
    share = float(areas.max()) / (size[0] * size[1])
    return Located(
        box=(
            float(largest[cv2.CC_STAT_LEFT]) * across,
            float(largest[cv2.CC_STAT_TOP]) * down,
            float(largest[cv2.CC_STAT_WIDTH]) * across,
            float(largest[cv2.CC_STAT_HEIGHT]) * down,
        ),
        turned=_along_its_axis(np.asarray(labels == number, np.uint8), (across, down)),
        share=share,
        others=int((areas >= _ANOTHER * areas.max()).sum()) - 1,
        is_clear=bool(
            explained >= _LEAST_EXPLAINED
            and (distance[edge] <= threshold).mean() >= _LEAST_PLAIN
            and inside - outside >= _LEAST_CONTRAST
            and _SHARES[0] <= share <= _SHARES[1]
        ),
    )


def _along_its_axis(part: Mask, scale: tuple[float, float]) -> TurnedBox:
    """The box along the principal axis of a part, by its moments.

    Args:
        part: uint8 (H, W), 1 where it is.
        scale: pixels of the image for a pixel of it, across and down.
    """
    outline = max(cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=len)[:, 0]
    points = (outline + 0.5) * scale
    moments = cv2.moments(part, binaryImage=True)
    across, down = scale
    middle = np.array([moments["m10"], moments["m01"]]) / moments["m00"] * scale + np.multiply(scale, 0.5)
    xx, xy, yy = (
        moments["mu20"] * across * across,
        moments["mu11"] * across * down,
        moments["mu02"] * down * down,
    )
    angle = 0.5 * math.atan2(2 * xy, xx - yy)
    apart = math.hypot(2 * xy, xx - yy)
    elongation = math.sqrt((xx + yy + apart) / max(xx + yy - apart, 1e-9))
    x, y = math.cos(angle) * across, math.sin(angle) * down
    skew = (
        moments["mu30"] * x**3
        + 3 * moments["mu21"] * x**2 * y
        + 3 * moments["mu12"] * x * y**2
        + moments["mu03"] * y**3
    )
    if skew < 0:
        angle += math.pi if angle <= 0 else -math.pi
    axis = np.array([math.cos(angle), math.sin(angle)])
    normal = np.array([-axis[1], axis[0]])
    along, aside = (points - middle) @ axis, (points - middle) @ normal
    centre = middle + axis * (along.max() + along.min()) / 2 + normal * (aside.max() + aside.min()) / 2
    return TurnedBox(
        middle=(float(centre[0]), float(centre[1])),
        width=float(np.ptp(along)) + across,
        height=float(np.ptp(aside)) + down,
        angle_deg=math.degrees(angle),
        elongation=elongation,
    )
