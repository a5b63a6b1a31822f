"""The figures by which an inspection is judged against what is known of the parts.

Every figure is a fraction from 0 to 1, or None where the data cannot give it: no AUROC without both
good and defective parts, no place without a mask.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


def auroc(scores: Sequence[float], defective: Sequence[bool]) -> float | None:
    """Area under the ROC curve, exact: how often a defective part scores above a good one.

    Equal scores count one half (Mann and Whitney's U). None without both kinds of parts.
    """
    labels = np.asarray(defective, bool)
    positives = int(labels.sum())
    negatives = labels.size - positives
    if not positives or not negatives:
        return None
    _, group, size = np.unique(np.asarray(scores, np.float64), return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(size) - (size - 1) / 2
    rank_sum = float(mean_rank[group.ravel()[labels]].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


@dataclass(frozen=True, slots=True)
class Decisions:
    """Verdicts against the truth, counted.

    Attributes:
        true_ng, false_ok: defective parts that were called ng, and those that were not.
        true_ok, false_ng: good parts that were called ok, and those that were not.
    """

    true_ng: int
    false_ok: int
    true_ok: int
    false_ng: int

    @classmethod
    def count(cls, outcomes: Iterable[tuple[bool, bool]]) -> Decisions:
        """From pairs of (called ng, truly defective)."""
        pairs = list(outcomes)
        return cls(
            true_ng=pairs.count((True, True)),
            false_ok=pairs.count((False, True)),
            true_ok=pairs.count((False, False)),
            false_ng=pairs.count((True, False)),
        )

    @property
    def accuracy(self) -> float | None:
        """Share of parts whose verdict is right; None without parts."""
        parts = self.true_ng + self.false_ok + self.true_ok + self.false_ng
        return (self.true_ng + self.true_ok) / parts if parts else None

    @property
    def balanced_accuracy(self) -> float | None:
        """Mean of the shares among defective and among good parts; None without both kinds."""
        defective, good = self.true_ng + self.false_ok, self.true_ok + self.false_ng
        if not defective or not good:
            return None
        return (self.true_ng / defective + self.true_ok / good) / 2


def mean_known(values: Iterable[float | None]) -> float | None:
    """The mean of those values that are known; None where none is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def share(outcomes: Sequence[bool]) -> float | None:
    """The share of true ones; None without any outcome."""
    return sum(outcomes) / len(outcomes) if outcomes else None


class PixelCurves:
    """Pixel AUROC and PRO over all pixels of a category, in a fixed amount of memory.

    Pixels are counted in fine bins of their score instead of being kept. Bins have equal width on
    the scale asinh(1024 · score), which is linear around 0 and logarithmic further out, so they are
    fine on any map: 4e-8 wide at 0, 4e-5 at 1, out to scores of ±2·10⁵ (beyond, the last bin).
    Two pixels in one bin count as equal, which :attr:`auroc_error` bounds.
    """

    _BINS = 1 << 20
    _STEEPNESS = 1024.0
    _REACH = 20.0

    def __init__(self) -> None:
        self._good = np.zeros(self._BINS, np.int64)
        self._defective = np.zeros(self._BINS, np.int64)
        self._overlap = np.zeros(self._BINS, np.float64)
        self._regions = 0

    def add(self, scores: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]) -> None:
        """Count one image.

        Args:
            scores: float32 (H, W), the anomaly map at the mask's size.
            mask: bool (H, W), the defective pixels; all False for a good part.
        """
        import cv2

        if scores.shape != mask.shape:
            raise ValueError(f"scores {scores.shape} and mask {mask.shape} differ in shape")
        bins = self._bin(scores)
        np.add.at(self._good, bins[~mask], 1)
        if not mask.any():
            return
        np.add.at(self._defective, bins[mask], 1)
        regions, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
        # The background is a region too, and empty where all is defective.
        share_of_region = 1.0 / np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
        np.add.at(self._overlap, bins[mask], share_of_region[labels[mask]])
        self._regions += regions - 1

    @property
    def auroc(self) -> float | None:
        """How often a defective pixel scores above a good one; None without both kinds."""
        good, defective = int(self._good.sum()), int(self._defective.sum())
        if not good or not defective:
            return None
        below = np.cumsum(self._good) - self._good / 2
        return float((self._defective / defective) @ (below / good))

    @property
    def auroc_error(self) -> float:
        """The most by which :attr:`auroc` can differ from that of the unbinned scores.

        Half of the share of (defective, good) pairs that lie in one bin. Under 1e-4 unless a
        large part of the pixels has (nearly) one score.
        """
        good, defective = int(self._good.sum()), int(self._defective.sum())
        if not good or not defective:
            return 0.0
        return float((self._defective / defective) @ (self._good / good)) / 2

    def pro(self, limit: float = 0.3) -> float | None:
        """Per-region overlap, averaged over false-positive rates from 0 to ``limit``.

        Over all thresholds: the share of each connected defective region (8 neighbours) that lies
        above the threshold, averaged over the regions, against the share of good pixels above it;
        the area under that curve up to ``limit``, divided by ``limit`` (Bergmann et al., The MVTec
        Anomaly Detection Dataset, IJCV 2021). None without good pixels or without a region.
        """
        if not self._good.any() or not self._regions:
            return None
        false_positives, overlap = self._overlap_curve()
        inside = int(np.searchsorted(false_positives, limit, side="right"))
        x = np.append(false_positives[:inside], limit)
        y = np.append(overlap[:inside], np.interp(limit, false_positives, overlap))
        return float(((x[1:] - x[:-1]) * (y[1:] + y[:-1])).sum() / 2 / limit)

    def pro_error(self, limit: float = 0.3) -> float:
        """The most by which :meth:`pro` can differ from that of the unbinned scores.

        Within a bin the true curve runs somewhere in a rectangle, of which the binned one takes the
        diagonal.
        """
        if not self._good.any() or not self._regions:
            return 0.0
        false_positives, overlap = self._overlap_curve()
        wide, high = np.diff(np.minimum(false_positives, limit)), np.diff(overlap)
        cut = false_positives[1:] > limit  # a diagonal that the limit cuts may be wrong by all of it
        return float((wide * high * np.where(cut, 1.0, 0.5)).sum() / limit)

    def _overlap_curve(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """False-positive rate and mean overlap, from the highest threshold to the lowest."""
        used = np.flatnonzero((self._good > 0) | (self._overlap > 0))[::-1]
        false_positives = np.cumsum(self._good[used]) / self._good.sum()
        overlap = np.cumsum(self._overlap[used]) / self._regions
        return np.append(0.0, false_positives), np.append(0.0, overlap)

    def _bin(self, scores: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        position = np.arcsinh(scores.astype(np.float64) * self._STEEPNESS)
        scaled = (position + self._REACH) * (self._BINS / (2 * self._REACH))
        return np.clip(scaled, 0, self._BINS - 1).astype(np.int64)
