"""Maps of imagined anomalies, for a reader that has seen too few real ones.

Judging a part takes a second; drawing what its map would show takes a millisecond. What a map does to an
outline is known: patches average it, a patch that is half covered is far from every good one already, its
neighbours see a little of it, and two blurs smooth it all. The background is a judged good part's.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.facts import facts_of_mask
from edge.image_types import Array, Mask
from edge.vision.scoring import MAP_RADIUS, MAP_SIGMA, SCORE_RADIUS, SCORE_SIGMA, smoothed
from models.data.training_parts import log_uniform
from models.heads.constants import MAP_SIDE
from models.training.maps import Maps, facts_row, stacked

_SIDE = 192  # Pixels of an outline.
_GRID = 32  # Patches a side, as the default encoder has them.
_COUNTS, _COUNT_SHARES = (1, 2, 3, 4, 5, 7), (0.45, 0.2, 0.13, 0.1, 0.07, 0.05)
_AREAS = (0.0005, 0.15)
_PEAKS = (0.8, 12.0)  # In units of the verdict's boundary.
_HALF_SEEN = (0.03, 0.5)  # The covered share of a patch that lifts it by 1 - 1/e of a whole one.


def imagined_maps(count: int, judged: Maps, rng: np.random.Generator) -> Maps:
    """So many maps of anomalous parts, with the facts of what was drawn.

    Args:
        count: how many.
        judged: real maps; those of good parts are the backgrounds.
        rng: draws everything.
    """
    backgrounds = judged.maps[~judged.anomalous]
    rows: dict[str, list[object]] = {}
    for _ in range(count):
        mask = _outlines(rng)
        row = facts_row(facts_of_mask(mask)) | {
            "maps": _as_seen(mask, _background(backgrounds, rng), rng),
            "scores": np.float32(1),
            "images": np.zeros(judged.images.shape[1], np.float32),
            "anomalous": True,
            "seen": True,
            "product": -1,
            "shots": 1,
        }
        for name, value in row.items():
            rows.setdefault(name, []).append(value)
    return stacked(rows)


def _outlines(rng: np.random.Generator) -> Mask:
    """One to seven anomalies of like size, anywhere or near each other: uint8, 1 where there is one."""
    mask = np.zeros((_SIDE, _SIDE), np.uint8)
    count = int(rng.choice(_COUNTS, p=_COUNT_SHARES))
    usual = log_uniform(_AREAS, rng) / count**0.5
    spread = 0.15 if rng.random() < 0.3 else 1.0
    middle = rng.uniform(0.15, 0.85, 2)
    for _ in range(count):
        at = (
            np.clip(middle + rng.normal(0, spread, 2), 0.05, 0.95)
            if spread < 1
            else rng.uniform(0.05, 0.95, 2)
        )
        area = usual * float(np.exp(rng.normal(0, 0.6))) * _SIDE**2
        draw = _line if rng.random() < 0.45 else _blob
        mask |= draw(at * _SIDE, area, rng)
    return mask


def _line(at: npt.NDArray[np.float64], area: float, rng: np.random.Generator) -> Mask:
    """A scratch or a crack: a path that bends."""
    drawn = np.zeros((_SIDE, _SIDE), np.uint8)
    width = int(rng.integers(1, 7))
    length = float(np.clip(area / width, 8, 1.2 * _SIDE))
    steps, bend = 12, rng.normal(0, 0.08)
    turns = rng.uniform(0, 2 * np.pi) + np.cumsum(bend + rng.normal(0, 0.12, steps))
    path = np.cumsum(np.stack([np.cos(turns), np.sin(turns)], 1), 0) * length / steps
    cv2.polylines(drawn, [np.int32(path - path.mean(0) + at)], False, 1, width)  # type: ignore[call-overload]
    return drawn


def _blob(at: npt.NDArray[np.float64], area: float, rng: np.random.Generator) -> Mask:
    """A stain or a dent: an ellipse, its edge smooth or ragged."""
    drawn = np.zeros((_SIDE, _SIDE), np.uint8)
    radius, longer = float(np.sqrt(area / np.pi)), float(np.exp(abs(rng.normal(0, 0.25))))
    axes = (max(1, round(radius * longer)), max(1, round(radius / longer)))
    cv2.ellipse(drawn, (round(at[0]), round(at[1])), axes, rng.uniform(0, 180), 0, 360, 1, -1)
    if rng.random() < 0.5 and radius > 2:
        soft = cv2.GaussianBlur(drawn.astype(np.float32), (0, 0), radius / 3)
        grain = cv2.GaussianBlur(rng.standard_normal(drawn.shape).astype(np.float32), (0, 0), radius / 3)
        drawn &= (soft + 0.2 * grain / grain.std() > 0.35).astype(np.uint8)
    return drawn


def _background(good: Array, rng: np.random.Generator) -> Array:
    """(32, 32): a good part's map, turned, mirrored and louder or fainter."""
    shown = np.rot90(good[rng.integers(len(good))], int(rng.integers(4)))
    shown = shown[:, ::-1] if rng.random() < 0.5 else shown
    patches = cv2.resize(np.ascontiguousarray(shown), (_GRID, _GRID), interpolation=cv2.INTER_AREA)
    return np.asarray(patches * np.exp(rng.normal(0, 0.4)), np.float32)


def _as_seen(mask: Mask, background: Array, rng: np.random.Generator) -> Array:
    """(48, 48): the outlines as patches see them."""
    covered = cv2.resize(mask.astype(np.float32), (_GRID, _GRID), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.7:
        covered = cv2.GaussianBlur(covered, (0, 0), rng.uniform(0.3, 1.0))
    lifted = 1 - np.exp(-covered / log_uniform(_HALF_SEEN, rng))
    uneven = rng.normal(0, rng.uniform(0, 0.4), (_GRID, _GRID)) + 0.4 * rng.random() * _slow(rng)
    peak = log_uniform(_PEAKS, rng)
    if rng.random() < 0.35:  # All of the part is far from its references: another batch, another light.
        background = background + peak * rng.uniform(0, 0.6) * (1 + 0.2 * rng.random() * _slow(rng))
    patches = np.asarray(background + peak * lifted * np.exp(uneven), np.float32)
    blurred = smoothed(smoothed(patches, SCORE_SIGMA, SCORE_RADIUS), MAP_SIGMA, MAP_RADIUS)
    return np.asarray(cv2.resize(blurred, (MAP_SIDE, MAP_SIDE)), np.float32)


def _slow(rng: np.random.Generator) -> Array:
    """(32, 32), what changes slowly over an image."""
    coarse = rng.standard_normal((4, 4)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (_GRID, _GRID), interpolation=cv2.INTER_CUBIC), np.float32)
