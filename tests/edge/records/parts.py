"""Inspections and images to record."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from ulid import ULID

from edge.inspection import Inspection, Region, Verdict, utc_timestamp

MORNING = datetime(2026, 11, 23, 8, 0, 0, tzinfo=timezone.utc)


def inspected(seq: int = 1, verdict: str = "ng", **fields: Any) -> Inspection:
    """The inspection of part ``seq``, one second after the one before."""
    moment = MORNING + timedelta(seconds=seq)
    values: dict[str, Any] = {
        "id": str(ULID.from_datetime(moment)),
        "seq": seq,
        "station": "s",
        "product": "bottle",
        "part_id": f"part-{seq}",
        "camera": "top",
        "captured_at": utc_timestamp(moment),
        "verdict": Verdict(verdict),
        "score": 0.9,
        "regions": (Region(10, 20, 30, 40, 900, 1.25),),
        "location": "top left",
        "latency_ms": {"graph": 20.0, "total": 30.0},
    }
    return Inspection(**(values | fields))


def picture(height: int = 120, width: int = 160, seed: int = 0) -> npt.NDArray[np.uint8]:
    """A noisy image: BGR, about as many bytes in a file as it has pixels."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def read(path: Path, flags: int = cv2.IMREAD_COLOR) -> np.ndarray:
    """The image in a file that must be there and whole."""
    image = cv2.imread(str(path), flags)
    assert image is not None, path
    return np.asarray(image)


def spot(height: int = 32, width: int = 32) -> npt.NDArray[np.float32]:
    """An anomaly map that is 0 but for a spot of 1 in its upper left quarter."""
    values = np.zeros((height, width), np.float32)
    values[height // 8 : height // 3, width // 8 : width // 3] = 1.0
    return values
