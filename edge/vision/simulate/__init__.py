"""Defects simulated on good images, with a mask of what really changed.

Calibration asks how far such defects lift the anomaly map of a product; training learns from them.
Deterministic for a given seed; OpenCV and numpy only.
"""

from edge.vision.simulate.defect import CHANGED_LEVELS, SimulatedDefect
from edge.vision.simulate.foreground import find_foreground
from edge.vision.simulate.simulator import CONTRASTS, KINDS, SIZES, simulate, simulate_many

__all__ = [
    "CHANGED_LEVELS",
    "CONTRASTS",
    "KINDS",
    "SIZES",
    "SimulatedDefect",
    "find_foreground",
    "simulate",
    "simulate_many",
]
