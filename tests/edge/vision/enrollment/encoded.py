"""Encoded views with features that are easy to follow: a patch of reference *n* points along axis *n*."""

from __future__ import annotations

import numpy as np

from edge.image_types import Array
from edge.vision.engine import Encoded
from edge.vision.enrollment.encodings import EncodedLook
from edge.vision.enrollment.views import Look

PATCHES, WIDTH = 4, 8
NOTHING = np.zeros((2, 2), np.uint8)


def features(axis: int, patches: int = PATCHES) -> Array:
    rows = np.zeros((patches, WIDTH), np.float32)
    rows[:, axis] = 1
    return rows


def encoded_view(
    reference: int,
    *,
    axis: int | None = None,
    angle_deg: float | None = 0.0,
    typical: bool = False,
    piece: int = 0,
    part: int = 0,
) -> EncodedLook:
    view = Look(reference, NOTHING, angle_deg, typical, piece, part)
    return EncodedLook(view, Encoded(features(reference if axis is None else axis)))
