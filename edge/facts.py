"""What can be said about a part, as words: the vocabulary that training, dialogue and its scoring share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.image_types import Mask
from edge.location import CELLS, cell_of_point

PLACES: tuple[str, ...] = tuple(words for row in CELLS for words in row)
"""The nine places, row by row."""

COUNTS: tuple[str, ...] = ("one", "two", "several")
SIZES: tuple[str, ...] = ("small", "medium-sized", "large")
SHAPES: tuple[str, ...] = ("spot", "streak")
SURENESS: tuple[str, ...] = ("not sure", "fairly sure", "very sure")

SIZE_LIMITS = (0.006, 0.03)
"""Below the first share of the image's area an anomaly is small, from the second on it is large."""

STREAK_ELONGATION = 2.5
"""A streak is at least this many times as long as it is wide."""

SURE_FROM = (1.0, 2.5)
"""Below the first absolute evidence, in log-odds, a verdict is not sure, from the second on very sure."""

# Parts of one anomaly that lie nearer to each other than this share of the image's side are told as one.
_JOINED_WITHIN = 0.05
# A cell holds an anomaly where at least this share of it lies there: not where it only grazes it.
_SHARE_IN_CELL = 0.15
# An anomaly that spreads over the whole image has no such share anywhere, and fills cells instead.
_SHARE_OF_CELL = 0.5


@dataclass(frozen=True, slots=True)
class PartFacts:
    """What is true of one part.

    Attributes:
        count: of ``COUNTS``; empty for a good part, and so are the following.
        place: of the main anomaly, one of ``PLACES``.
        places: every place that holds a fair share of the anomalies, the main one's place among them.
        size, shape: of the main anomaly, of ``SIZES`` and ``SHAPES``.
        sureness: how far the part is from the verdict's boundary, of ``SURENESS``.
    """

    count: str = ""
    place: str = ""
    places: frozenset[str] = frozenset()
    size: str = ""
    shape: str = ""
    sureness: str = SURENESS[-1]

    @property
    def anomalous(self) -> bool:
        """Whether there is any anomaly."""
        return bool(self.count)


def facts_of_mask(mask: Mask, sureness: str = SURENESS[-1]) -> PartFacts:
    """The facts of a part whose anomalous pixels are known.

    Args:
        mask: uint8 (H, W), above 0 where the part is anomalous; its largest piece is the main anomaly.
        sureness: of ``SURENESS``.
    """
    on = (mask > 0).astype(np.uint8)
    if not on.any():
        return PartFacts(sureness=sureness)
    pieces = _pieces(on)
    main = max(pieces, key=lambda piece: int(np.count_nonzero(piece)))
    place = main_place(main)
    return PartFacts(
        count=count_of(len(pieces)),
        place=place,
        places=places_of(on) | {place},
        size=size_of(float(np.count_nonzero(main)) / on.size),
        shape=shape_of(main),
        sureness=sureness,
    )


def count_of(number: int) -> str:
    """The word for this many anomalies; empty for none."""
    return COUNTS[min(number, len(COUNTS)) - 1] if number else ""


def sureness_of(evidence: float) -> str:
    """The word for this much evidence, in log-odds: its sign is the verdict, its size the sureness."""
    return SURENESS[int(np.searchsorted(SURE_FROM, abs(evidence), side="right"))]


def size_of(share: float) -> str:
    """The word for an anomaly that covers this share of the image's area."""
    return SIZES[int(np.searchsorted(SIZE_LIMITS, share, side="right"))]


def shape_of(piece: Mask) -> str:
    """``streak`` for a piece, uint8 (H, W), that is long and thin, else ``spot``."""
    return SHAPES[int(elongation(piece) >= STREAK_ELONGATION)]


def elongation(piece: Mask) -> float:
    """How many times as long as wide a piece is, by its second moments; 1 for a disc or a square."""
    moments = cv2.moments(piece, binaryImage=True)
    area = max(moments["m00"], 1.0)
    # A pixel is a square with a moment of its own: one row of pixels is not infinitely thin.
    xx, yy = moments["mu20"] / area + 1 / 12, moments["mu02"] / area + 1 / 12
    xy = moments["mu11"] / area
    middle, spread = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    return float(np.sqrt((middle + spread) / max(middle - spread, 1 / 12)))


def places_of(on: Mask) -> frozenset[str]:
    """The places that hold a fair share of the anomalous pixels, or are filled with them by half."""
    sums = _cell_sums(on)
    shares, filled = sums / max(int(sums.sum()), 1), sums * len(PLACES) / on.size
    return frozenset(
        PLACES[i] for i in np.flatnonzero((shares >= _SHARE_IN_CELL) | (filled >= _SHARE_OF_CELL))
    )


def touched_places(on: Mask) -> frozenset[str]:
    """The places that hold any anomalous pixel."""
    return frozenset(PLACES[i] for i in np.flatnonzero(_cell_sums(on)))


def main_place(piece: Mask) -> str:
    """The place that holds most of a piece."""
    return PLACES[int(_cell_sums(piece).argmax())]


def _cell_sums(on: Mask) -> npt.NDArray[np.int64]:
    rows, columns = np.nonzero(on)
    sums = np.zeros(9, np.int64)
    down = np.minimum(3 * rows // on.shape[0], 2)
    right = np.minimum(3 * columns // on.shape[1], 2)
    np.add.at(sums, 3 * down + right, 1)
    return sums


def _pieces(on: Mask) -> list[Mask]:
    """The anomalies, each uint8 (H, W): connected pixels, those near each other as one."""
    reach = max(1, round(_JOINED_WITHIN * max(on.shape) / 2))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    count, labels = cv2.connectedComponents(cv2.dilate(on, kernel), connectivity=8)
    return [np.where(labels == label, on, 0).astype(np.uint8) for label in range(1, count)]


def place_of_point(x: float, y: float, shape: Sequence[int]) -> str:
    """The place of a point of an image of ``shape`` (H, W)."""
    row, column = cell_of_point(x, y, (shape[0], shape[1]))
    return CELLS[row][column]
