"""Outlines of simple parts as seen from above, to cut out of a photographed surface."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from edge.image_types import Image

_SUBPIXEL_BITS = 4
_Point = tuple[float, float]
_Draw = Callable[[np.random.Generator, Image], None]


def outline(rng: np.random.Generator, kind: str, side: int) -> Image:
    """The opacity of one part of a kind of ``OUTLINES``, uint8 (side, side); it fills most of the square."""
    alpha = np.zeros((side, side), np.uint8)
    OUTLINES[kind](rng, alpha)
    return alpha


def _disc(rng: np.random.Generator, alpha: Image) -> None:
    _circle(alpha, (0.5, 0.5), 0.47, 255)
    if rng.random() < 0.3:
        _circle(alpha, (0.5, 0.5), float(rng.uniform(0.03, 0.08)), 0)


def _washer(rng: np.random.Generator, alpha: Image) -> None:
    _circle(alpha, (0.5, 0.5), 0.47, 255)
    _circle(alpha, (0.5, 0.5), 0.47 * float(rng.uniform(0.35, 0.72)), 0)


def _flange(rng: np.random.Generator, alpha: Image) -> None:
    _washer(rng, alpha)
    _bolt_circle(rng, alpha, 0.4, 0.028)


def _gear(rng: np.random.Generator, alpha: Image) -> None:
    teeth, depth = int(rng.integers(10, 33)), float(rng.uniform(0.04, 0.09))
    corners = []
    for tooth in range(teeth):
        for at, radius in ((0, 0.48 - depth), (0.28, 0.48 - depth), (0.4, 0.48), (0.75, 0.48)):
            turn = 2 * np.pi * (tooth + at) / teeth
            corners.append((0.5 + radius * np.cos(turn), 0.5 + radius * np.sin(turn)))
    _polygon(alpha, corners, 255)
    _circle(alpha, (0.5, 0.5), float(rng.uniform(0.06, 0.2)), 0)
    if rng.random() < 0.5:
        _bolt_circle(rng, alpha, 0.3, float(rng.uniform(0.02, 0.05)))


def _nut(rng: np.random.Generator, alpha: Image) -> None:
    turns = np.arange(6) * np.pi / 3
    _polygon(alpha, [(0.5 + 0.48 * np.cos(t), 0.5 + 0.48 * np.sin(t)) for t in turns], 255)
    _circle(alpha, (0.5, 0.5), float(rng.uniform(0.15, 0.28)), 0)


def _plate(rng: np.random.Generator, alpha: Image) -> None:
    half = float(rng.uniform(0.2, 0.45))
    _rounded(alpha, (0.04, 0.5 - half), (0.96, 0.5 + half), float(rng.uniform(0.01, 0.1)))
    radius = float(rng.uniform(0.02, 0.05))
    for x in (0.12, 0.88):
        for y in (0.58 - half, 0.42 + half) if half > 0.22 else (0.5,):
            _circle(alpha, (x, y), radius, 0)
    if rng.random() < 0.5:
        _rounded(alpha, (0.3, 0.5 - half / 2), (0.7, 0.5 + half / 2), 0.03, 0)


def _bracket(rng: np.random.Generator, alpha: Image) -> None:
    width = float(rng.uniform(0.22, 0.36))
    _rounded(alpha, (0.05, 0.05), (0.05 + width, 0.95), 0.04)
    _rounded(alpha, (0.05, 0.95 - width), (0.95, 0.95), 0.04)
    radius = width * float(rng.uniform(0.12, 0.26))
    for x, y in ((0.05 + width / 2, 0.2), (0.8, 0.95 - width / 2), (0.05 + width / 2, 0.95 - width / 2)):
        _circle(alpha, (x, y), radius, 0)


def _bar(rng: np.random.Generator, alpha: Image) -> None:
    half = float(rng.uniform(0.08, 0.2))
    _rounded(alpha, (0.02, 0.5 - half), (0.98, 0.5 + half), half * float(rng.choice([0.1, 0.99])))


def _gasket(rng: np.random.Generator, alpha: Image) -> None:
    low, wall = float(rng.uniform(0.05, 0.25)), float(rng.uniform(0.05, 0.09))
    _rounded(alpha, (0.03, low), (0.97, 1 - low), 0.16)
    _rounded(alpha, (0.03 + wall, low + wall), (0.97 - wall, 1 - low - wall), 0.1, 0)
    for x in (0.1, 0.9):
        for y in (low + 0.07, 0.93 - low):
            _circle(alpha, (x, y), wall * 0.9, 255)
            _circle(alpha, (x, y), wall * 0.4, 0)


def _grid(rng: np.random.Generator, alpha: Image) -> None:
    _rounded(alpha, (0.04, 0.04), (0.96, 0.96), 0.04)
    count = int(rng.integers(3, 8))
    pitch = 0.84 / count
    size = pitch * float(rng.uniform(0.22, 0.38))
    round_holes = rng.random() < 0.5
    for row in range(count):
        for column in range(count):
            x, y = 0.08 + pitch * (column + 0.5), 0.08 + pitch * (row + 0.5)
            if round_holes:
                _circle(alpha, (x, y), size, 0)
            else:
                _rounded(alpha, (x - size, y - size), (x + size, y + size), size * 0.2, 0)


OUTLINES: dict[str, _Draw] = {
    "disc": _disc,
    "washer": _washer,
    "flange": _flange,
    "gear": _gear,
    "nut": _nut,
    "plate": _plate,
    "bracket": _bracket,
    "bar": _bar,
    "gasket": _gasket,
    "perforated plate": _grid,
}
"""Every kind of outline by its name in plain words."""


def _bolt_circle(rng: np.random.Generator, alpha: Image, radius: float, hole: float) -> None:
    count = int(rng.integers(3, 9))
    for turn in np.arange(count) * 2 * np.pi / count:
        _circle(alpha, (0.5 + radius * np.cos(turn), 0.5 + radius * np.sin(turn)), hole, 0)


def _circle(alpha: Image, centre: _Point, radius: float, value: int) -> None:
    unit = len(alpha) << _SUBPIXEL_BITS
    place = (round(centre[0] * unit), round(centre[1] * unit))
    cv2.circle(alpha, place, round(radius * unit), value, -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _polygon(alpha: Image, corners: list[_Point], value: int) -> None:
    points = np.round(np.array(corners) * (len(alpha) << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillPoly(alpha, [points], value, cv2.LINE_AA, _SUBPIXEL_BITS)


def _rounded(alpha: Image, low: _Point, high: _Point, radius: float, value: int = 255) -> None:
    """A rectangle between two corners whose edges are rounded."""
    radius = min(radius, (high[0] - low[0]) / 2, (high[1] - low[1]) / 2)
    turns = np.linspace(0, np.pi / 2, 9)
    corners: list[_Point] = []
    for quarter, (x, y) in enumerate(
        ((high[0], high[1]), (low[0], high[1]), (low[0], low[1]), (high[0], low[1]))
    ):
        middle = (x - radius if x == high[0] else x + radius, y - radius if y == high[1] else y + radius)
        for turn in turns + quarter * np.pi / 2:
            corners.append((middle[0] + radius * np.cos(turn), middle[1] + radius * np.sin(turn)))
    _polygon(alpha, corners, value)
