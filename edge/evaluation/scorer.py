"""Holding the findings about a product's test parts against the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from edge.evaluation.metrics import Decisions, PixelCurves, auroc, mean_known, share
from edge.inspection import Verdict
from edge.language import Reading
from edge.location import cell_of_words
from edge.vision.inspector import Finding


@dataclass(frozen=True, slots=True)
class CategoryFigures:
    """How well parts were judged; fractions from 0 to 1, None where the data cannot give one.

    Attributes:
        image_auroc: of the score.
        language_auroc: of the difference between the language model's logits of *Yes* and *No*; this and
            the other figures of the language verdict are None where no language model was asked.
        pixel_auroc: of the map over all pixels of images whose mask is known.
        pro: of the map, per-region overlap up to a false-positive rate of 0.3.
        accuracy, balanced_accuracy: of the language verdict.
        accuracy_calibration, balanced_accuracy_calibration: of the calibrated verdict.
        location_accuracy: share of true alarms on images with a mask whose named cell of the nine
            holds a defective pixel. The language model's alarms, where it was asked.
    """

    image_auroc: float | None = None
    language_auroc: float | None = None
    pixel_auroc: float | None = None
    pro: float | None = None
    accuracy: float | None = None
    balanced_accuracy: float | None = None
    accuracy_calibration: float | None = None
    balanced_accuracy_calibration: float | None = None
    location_accuracy: float | None = None


FIGURE_NAMES = tuple(field.name for field in fields(CategoryFigures))


def mean_figures(many: list[CategoryFigures]) -> CategoryFigures:
    """The mean of each figure over those that have it."""
    return CategoryFigures(**{name: mean_known(getattr(one, name) for one in many) for name in FIGURE_NAMES})


class CategoryScorer:
    """Collects the findings of one product, learned from one choice of references."""

    def __init__(self) -> None:
        self._calibration = _VerdictScorer()
        self._language = _VerdictScorer()
        self._places: list[bool] = []
        self._pixels = PixelCurves()

    def add(
        self,
        finding: Finding,
        defective: bool,
        mask: npt.NDArray[np.bool_] | None,
        reading: Reading | None = None,
        *,
        seen: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        """Take in one part.

        Args:
            finding: what the inspector says of it.
            defective: what it is.
            mask: its defective pixels, bool (H, W) at the image's size; None where not known.
            reading: the language model's verdict on the finding, which then decides; for all parts or none.
            seen: the mask as the product's view looks at it, where a finding's place is; default: the mask.
        """
        self._calibration.add(finding.score, finding.verdict, defective)
        if reading is not None:
            self._language.add(reading.yes_logit - reading.no_logit, reading.verdict, defective)
        if mask is None:
            return
        self._pixels.add(_enlarged(finding.map, mask.shape), mask)
        decided = finding.verdict if reading is None else reading.verdict
        if decided is Verdict.NG and defective:
            self._places.append(names_a_defect(finding.location, mask if seen is None else seen))

    def refuse(self, defective: bool, *, asked: bool) -> None:
        """Take in a part of which there is no verdict: a station rejects it, and names no place.

        Args:
            defective: what it is.
            asked: whether a language model says of the others what it thinks.
        """
        self._calibration.add(math.inf, Verdict.NG, defective)
        if asked:
            self._language.add(math.inf, Verdict.NG, defective)

    def figures(self) -> CategoryFigures:
        """The figures of all parts so far."""
        calibration, language = self._calibration.decisions, self._language.decisions
        return CategoryFigures(
            image_auroc=self._calibration.auroc,
            language_auroc=self._language.auroc,
            pixel_auroc=self._pixels.auroc,
            pro=self._pixels.pro(),
            accuracy=language.accuracy,
            balanced_accuracy=language.balanced_accuracy,
            accuracy_calibration=calibration.accuracy,
            balanced_accuracy_calibration=calibration.balanced_accuracy,
            location_accuracy=share(self._places),
        )


class _VerdictScorer:
    """One judge's numbers and verdicts against the truth."""

    def __init__(self) -> None:
        self._scores: list[float] = []
        self._outcomes: list[tuple[bool, bool]] = []

    def add(self, score: float, verdict: Verdict, defective: bool) -> None:
        self._scores.append(score)
        self._outcomes.append((verdict is Verdict.NG, defective))

    @property
    def auroc(self) -> float | None:
        return auroc(self._scores, [defective for _, defective in self._outcomes])

    @property
    def decisions(self) -> Decisions:
        return Decisions.count(self._outcomes)


def names_a_defect(location: str, mask: npt.NDArray[np.bool_]) -> bool:
    """Whether the cell of the nine that ``location`` names holds a defective pixel.

    Args:
        location: ``top left`` … ``bottom right``; empty where the inspector names no place.
        mask: bool (H, W).
    """
    if not location:
        return False
    row, column = cell_of_words(location)
    y, x = np.nonzero(mask)
    height, width = mask.shape
    # By the pixels' centres, as the inspector places a peak.
    in_row, in_column = 3 * (2 * y + 1) // (2 * height) == row, 3 * (2 * x + 1) // (2 * width) == column
    return bool((in_row & in_column).any())


def _enlarged(anomaly_map: npt.NDArray[np.float32], shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    import cv2

    enlarged: npt.NDArray[np.float32] = cv2.resize(
        anomaly_map, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR
    )
    return enlarged
