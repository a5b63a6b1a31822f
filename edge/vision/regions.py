"""From the anomaly map to places: connected regions in the captured image's pixels."""

from __future__ import annotations

import cv2
import numpy as np

from edge.image_types import Array
from edge.inspection import Region
from edge.location import cell_of_point, words_of_cell

MAX_REGIONS = 8
# A region ends where the map has fallen to this share of the image's peak: the map is smooth, and
# a strong defect's skirt is not part of it.
_SKIRT = 0.5
# The map is smoother than the score: a small defect's peak may stay under the boundary, and its
# summit is its region.
_SUMMIT = 0.8


def find_regions(anomaly_map: Array, boundary: float, shape: tuple[int, int]) -> tuple[Region, ...]:
    """The anomalous regions, the highest peak first, at most ``MAX_REGIONS``.

    Args:
        anomaly_map: float32 (H, W) on the calibrated scale.
        boundary: the verdict's boundary on that scale.
        shape: (H, W) of the captured image, whose pixels the regions are given in.
    """
    peak = float(anomaly_map.max())
    level = min(max(boundary, _SKIRT * peak), _SUMMIT * peak)
    above = (anomaly_map >= level).astype(np.uint8)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    down, right = shape[0] / anomaly_map.shape[0], shape[1] / anomaly_map.shape[1]
    regions = []
    for label in range(1, count):
        x, y, width, height, area = (int(v) for v in boxes[label])
        inside = anomaly_map[y : y + height, x : x + width]
        highest = float(inside[labels[y : y + height, x : x + width] == label].max())
        left, top = int(x * right), int(y * down)
        regions.append(
            Region(
                x=left,
                y=top,
                width=max(1, min(round(width * right), shape[1] - left)),
                height=max(1, min(round(height * down), shape[0] - top)),
                area=max(1, round(area * down * right)),
                peak=round(highest, 4),
            )
        )
    regions.sort(key=lambda r: (-r.peak, r.y, r.x))
    return tuple(regions[:MAX_REGIONS])


def peak_location(anomaly_map: Array) -> str:
    """The nine-cell words of the place where the map is highest."""
    y, x = np.unravel_index(int(anomaly_map.argmax()), anomaly_map.shape)
    return words_of_cell(*cell_of_point(float(x) + 0.5, float(y) + 0.5, anomaly_map.shape))
