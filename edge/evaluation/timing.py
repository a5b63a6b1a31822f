"""Latencies, as the two numbers that a line is planned by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np


class Percentiles(TypedDict):
    """The median and the 99th percentile; None without samples."""

    p50: float | None
    p99: float | None


def percentiles(samples: Sequence[float]) -> Percentiles:
    """p50 and p99 of samples, interpolated between the two nearest, in their unit."""
    if not samples:
        return {"p50": None, "p99": None}
    p50, p99 = np.percentile(samples, [50, 99])
    return {"p50": float(p50), "p99": float(p99)}
