"""Webs and sheets: a photographed surface as it passes under a camera, or lies in a fixture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from edge.errors import SourceError
from edge.image_types import Image
from models.data.rendered import SIDE
from models.data.taking import CaptureConditions, exposed
from models.data.usable import read_picture

Placing = Literal["fixture", "web", "turned"]
"""The same place each time; any place at one angle; any place in any of four or all directions."""

_PLACINGS: tuple[Placing, ...] = ("fixture", "web", "turned")
_PLACING_SHARES = (0.5, 0.35, 0.15)
_MOST_ENLARGED = 1.9
_LEAST_VIEW = 0.4


@dataclass(frozen=True, slots=True)
class SurfaceParts:
    """Good parts of one surface.

    Attributes:
        path: of the picture.
        seed: of how this product looks and varies.
    """

    path: Path
    seed: int

    def good(self, part: int) -> Image:
        """A good part, uint8 (SIDE, SIDE[, 3]): always the same for the same number."""
        taking, view = _design(self.path, self.seed)
        own = np.random.default_rng([self.seed, part, 1])
        return taking.photographed(view.seen(own, taking.variation), own)


@dataclass(frozen=True, slots=True)
class SurfaceView:
    """How a surface lies under the camera.

    Attributes:
        path: of the picture.
        placing: of the parts.
        short_px: the picture's short side as it is seen, in pixels of the image.
        angle: of the surface, in degrees.
        middle: (x, y) in the picture, as fractions of what there is to choose from; of a fixture only.
        tiles: whether the picture goes on beyond its borders, as it fits onto itself.
        any_angle: whether ``turned`` parts lie in any direction, not only in four.
    """

    path: Path
    placing: Placing
    short_px: float
    angle: float
    middle: tuple[float, float]
    tiles: bool
    any_angle: bool

    @classmethod
    def drawn(cls, rng: np.random.Generator, path: Path) -> SurfaceView:
        """A scale, an angle and a way of placing that suit the picture."""
        picture = _decoded(path)
        tiles = _fits_onto_itself(picture)
        placing = _PLACINGS[int(rng.choice(len(_PLACINGS), p=_PLACING_SHARES))]
        if not _is_uniform(picture):  # Two places of a poster are no two good parts of one product.
            placing = "fixture"
        # A picture that tiles may be seen whole and more; another one must fill the view, and
        # leave something to choose from where parts are not always the same place.
        least = SIDE * (0.7 if tiles else 1.04 if placing == "fixture" else 1.3)
        most = max(least, min(_MOST_ENLARGED * min(picture.shape[:2]), SIDE / _LEAST_VIEW))
        return cls(
            path=path,
            placing=placing,
            short_px=float(np.exp(rng.uniform(np.log(least), np.log(most)))),
            angle=float(rng.choice([0, 90, 180, 270]) + (rng.uniform(-8, 8) if tiles else 0)),
            middle=(float(rng.random()), float(rng.random())),
            tiles=tiles,
            any_angle=tiles and bool(rng.random() < 0.5),
        )

    def seen(self, rng: np.random.Generator, variation: float) -> Image:
        """The surface as it lies for one part, uint8 (SIDE, SIDE, 3); jitter grows with ``variation``."""
        picture = _shrunk(self.path, round(self.short_px))
        scale = self.short_px / min(picture.shape[:2]) * float(np.exp(rng.normal(0, 0.012 * variation)))
        angle = self.angle + float(rng.normal(0, 1.5 * variation))
        anywhere, shift = rng.random(2), rng.normal(0, 0.012 * variation * SIDE, 2)
        middle = np.array(self.middle) if self.placing == "fixture" else anywhere
        if self.placing == "turned":
            angle += float(rng.uniform(0, 360)) if self.any_angle else float(90 * rng.integers(4))
        size = np.array([picture.shape[1], picture.shape[0]], float)
        margin = np.zeros(2) if self.tiles else np.minimum(SIDE / 2 / scale, size / 2)
        centre = margin + middle * (size - 2 * margin) + shift / scale
        matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), angle, scale)
        matrix[:, 2] += SIDE / 2 - centre
        border = cv2.BORDER_WRAP if self.tiles else cv2.BORDER_REFLECT_101
        seen: Image = cv2.warpAffine(picture, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=border)
        return seen


def surface_level(path: Path) -> float:
    """The mean grey level of a surface."""
    return float(_decoded(path).mean())


@lru_cache(maxsize=4096)
def _design(path: Path, seed: int) -> tuple[CaptureConditions, SurfaceView]:
    rng = np.random.default_rng([seed, 0])
    return CaptureConditions.drawn(rng), SurfaceView.drawn(rng, path)


@lru_cache(maxsize=48)
def _shrunk(path: Path, short_px: int) -> Image:
    """The picture with a short side of at most ``short_px``: averaged once, and then only moved."""
    picture = _decoded(path)
    scale = short_px / min(picture.shape[:2])
    if scale >= 1:
        return picture
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    shrunk: Image = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return shrunk


@lru_cache(maxsize=4)
def _decoded(path: Path) -> Image:
    picture = read_picture(path) if path.is_file() else None
    if picture is None:
        raise SourceError(f"{path} is gone or damaged.", "Delete its package's folder; it is fetched again.")
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    return exposed(np.ascontiguousarray(picture[:, :, :3]))


def _fits_onto_itself(picture: Image) -> bool:
    """Whether the step from each border to the opposite one is hardly larger than the steps inside."""
    values = picture.astype(np.float32)
    for turned in (values, values.transpose(1, 0, 2)):
        seam = float(np.abs(turned[0] - turned[-1]).mean())
        if seam > 1.6 * float(np.abs(np.diff(turned, axis=0)).mean()) + 1:
            return False
    return True


def _is_uniform(picture: Image) -> bool:
    """Whether all places of a picture have about the same colour and contrast, as a material's do."""
    cells = cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA).astype(np.float32)
    cells = cells.reshape(4, 64, 4, 64, 3).transpose(0, 2, 1, 3, 4).reshape(16, 64 * 64, 3)
    colours, contrasts = cells.mean(axis=1), cells.std(axis=1).mean(axis=1)
    apart = float(colours.std(axis=0).max())
    return apart < 3 + 0.4 * float(contrasts.mean()) and contrasts.max() < 3 + 2 * contrasts.min()
