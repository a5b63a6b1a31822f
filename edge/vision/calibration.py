"""Where the verdict's boundary comes from: the references alone, and defects simulated on them.

Distances mean something else on every product: how far good parts lie from the references, and how
far a defect lifts the map. Both ends are measured at enrollment, and the distance is put on the scale
between them: 0 is what good parts look like, 1 what simulated defects look like. All of it is
reckoned in logarithms, since distances grow by factors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.image_types import Array
from edge.vision.memory import as_float32

# Fainter or smaller simulated defects are not counted as *typical*: many of them nobody would see.
TYPICAL_SIZE = 0.002
TYPICAL_CONTRAST = 12.0

# How much ln(score) varies between good parts, as believed before any is seen, and how many parts
# that belief is worth: two references that happen to be alike must not make the boundary tight.
_BELIEVED_SPREAD = 0.2
_BELIEF_PARTS = 3
# Width, in ln(score), of the kernel that turns simulated defects' scores into a smooth distribution.
_KERNEL = 0.12
_STEPS = 241
_LEAST_ROOM = 1.1
# What a false alarm counts against a miss: who sees an alarm looks and lets the part pass, who sees none
# ships the defect.
_FALSE_ALARM_WEIGHT = 0.5


@dataclass(frozen=True, eq=False)
class Evidence:
    """Raw scores, float32 (n,), that an enrollment gathered.

    Attributes:
        leave_one_out: of each reference against the others; empty for one reference.
        views: of everyday views of the references, against the bank that they are judged by.
        self_similarity: of each reference against its own other places.
        defects: of defects simulated on the references, all sizes and contrasts.
        typical_defects: those of ``defects`` that a person would see at once.
    """

    leave_one_out: Array
    views: Array
    self_similarity: Array
    defects: Array
    typical_defects: Array


@dataclass(frozen=True, eq=False)
class Calibration:
    """A product's scale: calibrated = (raw - offset) · gain.

    Attributes:
        offset: the raw score of a typical good part.
        gain: one over how far typical simulated defects lie above it.
        boundary: of the verdict, calibrated.
    """

    offset: float
    gain: float
    boundary: float

    @property
    def scale(self) -> Array:
        """The graph's input: float32 (2,), offset and gain."""
        return as_float32([self.offset, self.gain])

    def apply(self, raw: Array) -> Array:
        """Raw scores on the product's scale."""
        return as_float32((raw - self.offset) * self.gain)


def calibrate(evidence: Evidence) -> Calibration:
    """The product's scale and boundary from what its references showed.

    With several references the good parts' ln(score) is normal, with the leave-one-out mean and
    spread, and the boundary makes the fewest mistakes between it and the simulated defects, a miss
    counted twice. One reference shows no spread: the boundary is the geometric
    middle between what good parts look like and what typical simulated defects look like.
    """
    log_defects = np.log(_positive(evidence.defects))
    typical_defect = float(np.exp(np.median(np.log(_positive(evidence.typical_defects)))))
    if evidence.leave_one_out.size:
        log_good = np.log(_positive(evidence.leave_one_out))
        offset = float(np.exp(log_good.mean()))
        boundary = _fewest_mistakes(log_good, log_defects)
    else:
        offset = math.sqrt(_middle(evidence.self_similarity) * _middle(evidence.views))
        boundary = math.sqrt(offset * max(typical_defect, offset))
    # Defects that hardly lift the map leave no room for a scale: keep a little, so that it exists.
    boundary = max(boundary, offset * _LEAST_ROOM)
    top = max(typical_defect, boundary * _LEAST_ROOM)
    gain = 1 / (top - offset)
    return Calibration(offset=offset, gain=gain, boundary=(boundary - offset) * gain)


def _fewest_mistakes(log_good: Array, log_defects: Array) -> float:
    """The raw score at which misses and, at half their weight, false alarms, as shares, sum to the least."""
    mean = float(log_good.mean())
    free = max(log_good.size - 1, 0)
    squares = float(((log_good - mean) ** 2).sum()) + _BELIEF_PARTS * _BELIEVED_SPREAD**2
    spread = math.sqrt(squares / (free + _BELIEF_PARTS))
    candidates = np.linspace(mean, mean + 2, _STEPS)
    false_alarms = 1 - _normal_cdf((candidates - mean) / spread)
    misses = _normal_cdf((candidates[:, None] - log_defects[None]) / _KERNEL).mean(axis=1)
    return float(np.exp(candidates[(_FALSE_ALARM_WEIGHT * false_alarms + misses).argmin()]))


def _normal_cdf(z: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(0.5 * (1 + np.vectorize(math.erf)(z / math.sqrt(2))), np.float64)


def _middle(raw: Array) -> float:
    return float(np.exp(np.median(np.log(_positive(raw)))))


def _positive(raw: Array) -> npt.NDArray[np.float64]:
    """Scores of exact copies are 0 up to rounding; logarithms need a little more."""
    return np.maximum(np.asarray(raw, np.float64), 1e-4)
