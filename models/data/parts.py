"""Single parts on a ground: photographed cut-outs, and simple shapes cut out of a surface."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from edge.errors import SourceError
from edge.image_types import Array, Image
from models.data.outlines import outline
from models.data.rendered import SIDE
from models.data.surfaces import SurfaceView, surface_level
from models.data.taking import CaptureConditions, exposed, noise_field
from models.data.usable import opaque_box, read_picture

_GROUNDS = ("plain", "rough", "surface")
_GROUND_SHARES = (0.4, 0.35, 0.25)
_LEAST_APART = 45


@dataclass(frozen=True, slots=True)
class ObjectParts:
    """Good parts that are a cut-out photograph on a ground.

    Attributes:
        path: of the cut-out, a picture with an alpha channel.
        ground: a surface's picture; what some products lie on.
        seed: of how this product looks and varies.
    """

    path: Path
    ground: Path
    seed: int

    def good(self, part: int) -> Image:
        """A good part, uint8 (SIDE, SIDE[, 3]): always the same for the same number."""
        own = np.random.default_rng([self.seed, part, 1])
        taking, scene = _design(self.seed, self.ground, _object_level(self.path))
        return taking.photographed(scene.seen(_cut_out(self.path, scene.size_px), own, taking.variation), own)


@dataclass(frozen=True, slots=True)
class ShapedParts:
    """Good parts of a simple outline, cut out of a photographed surface, on a ground.

    Attributes:
        outline: a kind of ``OUTLINES``.
        path: of the surface's picture that the part is made of.
        ground: a surface's picture; what some products lie on.
        seed: of how this product looks and varies.
    """

    outline: str
    path: Path
    ground: Path
    seed: int

    def good(self, part: int) -> Image:
        """A good part, uint8 (SIDE, SIDE[, 3]): always the same for the same number."""
        own = np.random.default_rng([self.seed, part, 1])
        taking, scene = _design(self.seed, self.ground, _surface_level(self.path))
        shape = _shape(self.outline, self.path, scene.size_px, self.seed)
        # The outline is the same in all parts, the piece of material need not be.
        material = shape.material.seen(own, taking.variation)[: scene.size_px, : scene.size_px]
        lit = cv2.multiply(material, shape.relief, dtype=cv2.CV_8U)
        return taking.photographed(scene.seen(cv2.merge([lit, shape.alpha]), own, taking.variation), own)


@dataclass(frozen=True, slots=True)
class PartScene:
    """How a part lies on its ground.

    Attributes:
        size_px: the longer side of the part.
        angle: of the part, in degrees.
        any_angle: whether parts lie in any direction.
        ground_kind: of ``_GROUNDS``.
        ground: the ground as it lies; its picture is used where the kind is ``surface``.
        ground_level: the mean grey level of its picture.
        shade: of the ground, BGR.
        roughness: of the ground, in grey levels; of a surface the share of its contrast.
        roughness_scale: of that, an index of the sizes of ``noise_field``.
        moving_ground: whether each part lies on another place of the ground, as on a belt.
        ground_seed: of the place where the ground does not move.
        shadow: how much light the part takes from the ground beside it.
        shadow_shift: (x, y) in pixels, away from the light.
        shadow_blur_px: of its edge, as a standard deviation.
        shades: how far the parts' own colour varies, as a standard deviation.
    """

    size_px: int
    angle: float
    any_angle: bool
    ground_kind: str
    ground: SurfaceView
    ground_level: float
    shade: tuple[float, float, float]
    roughness: float
    roughness_scale: int
    moving_ground: bool
    ground_seed: int
    shadow: float
    shadow_shift: tuple[float, float]
    shadow_blur_px: float
    shades: float

    @classmethod
    def drawn(cls, rng: np.random.Generator, ground: Path, part_level: float) -> PartScene:
        """A ground, a pose and a light as there may be, for parts of that mean grey level."""
        kind = _GROUNDS[int(rng.choice(len(_GROUNDS), p=_GROUND_SHARES))]
        levels = rng.permutation(np.arange(8, 250, 4))
        # Whoever sets up a station takes a ground that parts stand out from.
        level = float(levels[np.abs(levels - part_level) > _LEAST_APART][0])
        shade = np.clip(level + rng.normal(0, rng.choice([2, 20]), 3), 4, 252)
        any_angle = bool(rng.random() < 0.25)
        direction, length = rng.uniform(0, 2 * np.pi), rng.uniform(2, 14)
        return cls(
            # A turned square needs a diagonal's room.
            size_px=int(rng.integers(200, 300) if any_angle else rng.integers(240, 400)),
            angle=float(rng.choice([0, 0, 90, 180, 270]) + rng.normal(0, 3)),
            any_angle=any_angle,
            ground_kind=kind,
            ground=SurfaceView.drawn(rng, ground),
            ground_level=surface_level(ground),
            shade=(float(shade[0]), float(shade[1]), float(shade[2])),
            roughness=float(rng.uniform(0.15, 0.6) if kind == "surface" else rng.uniform(1, 12)),
            roughness_scale=int(rng.integers(1, 4)),
            moving_ground=bool(rng.random() < 0.5),
            ground_seed=int(rng.integers(2**31)),
            shadow=float(rng.choice([0.0, rng.uniform(0.1, 0.6)])),
            shadow_shift=(float(length * np.cos(direction)), float(length * np.sin(direction))),
            shadow_blur_px=float(rng.uniform(2, 12)),
            shades=float(rng.choice([0.0, rng.uniform(0, 0.12)])),
        )

    def seen(self, cut_out: Image, rng: np.random.Generator, variation: float) -> Image:
        """A cut-out (h, w, 4) on the ground, uint8 (SIDE, SIDE, 3); jitter grows with ``variation``."""
        angle = self.angle + float(rng.normal(0, 2.5 * variation))
        if self.any_angle:
            angle += float(rng.uniform(0, 360))
        scale = float(np.exp(rng.normal(0, 0.01 * variation)))
        shift = np.clip(rng.normal(0, 9 * variation, 2), -20, 20)
        height, width = cut_out.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
        matrix[:, 2] += (SIDE - width) / 2 + shift[0], (SIDE - height) / 2 + shift[1]
        placed = cv2.warpAffine(cut_out, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
        part = placed[:, :, :3]
        if self.shades:
            gains = np.exp(
                rng.normal(0, self.shades * variation) + rng.normal(0, self.shades / 3, 3) * variation
            )
            part = cv2.LUT(part, np.clip(np.arange(256)[:, None] * gains, 0, 255).astype(np.uint8)[None])
        alpha = placed[:, :, 3]
        ground = self._ground(rng, variation)
        if self.shadow:
            ground = self._shadowed(ground, alpha)
        weight = cv2.merge([alpha] * 3)
        over = cv2.multiply(part, weight, scale=1 / 255)
        under = cv2.multiply(ground, cv2.bitwise_not(weight), scale=1 / 255)
        return np.asarray(cv2.add(over, under), np.uint8)

    def _ground(self, rng: np.random.Generator, variation: float) -> Image:
        where = rng if self.moving_ground else np.random.default_rng(self.ground_seed)
        if self.ground_kind == "surface":
            seen = self.ground.seen(where, variation)
            # The surface's own level must not bring the ground back to the part's.
            levels = (np.arange(256)[:, None] - self.ground_level) * self.roughness + np.array(self.shade)
            return np.asarray(cv2.LUT(seen, np.clip(levels, 0, 255).astype(np.uint8)[None]), np.uint8)
        channels = [np.full((SIDE, SIDE), int(channel), np.uint8) for channel in self.shade]
        plain: Image = cv2.merge(channels)
        if self.ground_kind == "plain":
            return plain
        rough = noise_field(where, self.roughness_scale)
        return np.asarray(
            cv2.addWeighted(plain, 1, cv2.merge([rough] * 3), self.roughness, 0, dtype=cv2.CV_8U)
        )

    def _shadowed(self, ground: Image, alpha: Image) -> Image:
        shift = np.array([[1, 0, self.shadow_shift[0]], [0, 1, self.shadow_shift[1]]])
        dark = cv2.warpAffine(alpha, shift, (SIDE, SIDE))
        # The shadow is soft: it may be blurred at half the size, which is four times as fast.
        dark = cv2.resize(dark, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        dark = cv2.resize(cv2.GaussianBlur(dark, (0, 0), self.shadow_blur_px / 2), (SIDE, SIDE))
        light = cv2.LUT(dark, (255 - np.arange(256) * self.shadow).astype(np.uint8))
        return np.asarray(cv2.multiply(ground, cv2.merge([light] * 3), scale=1 / 255), np.uint8)


@dataclass(frozen=True, slots=True)
class _Shape:
    """A part's outline and the light on its edges: uint8 and float32 (3 channels), size_px a side."""

    alpha: Image
    relief: Array
    material: SurfaceView


@lru_cache(maxsize=4096)
def _design(seed: int, ground: Path, part_level: float) -> tuple[CaptureConditions, PartScene]:
    rng = np.random.default_rng([seed, 0])
    return CaptureConditions.drawn(rng), PartScene.drawn(rng, ground, part_level)


_surface_level = lru_cache(maxsize=4096)(surface_level)


@lru_cache(maxsize=4096)
def _object_level(path: Path) -> float:
    """The mean grey level of a cut-out's opaque part."""
    picture = _opaque_part(path)
    return float(picture[:, :, :3][picture[:, :, 3] > 127].mean())


@lru_cache(maxsize=64)
def _shape(kind: str, path: Path, size_px: int, seed: int) -> _Shape:
    rng = np.random.default_rng([seed, 2])
    alpha = outline(rng, kind, size_px)
    # A bevel: the blurred outline is a height field, lit from one side.
    height = cv2.GaussianBlur(alpha.astype(np.float32) / 255, (0, 0), float(rng.uniform(1.5, 5)))
    down, right = np.gradient(height)
    direction = rng.uniform(0, 2 * np.pi)
    slope = np.cos(direction) * right + np.sin(direction) * down
    relief = np.clip(1 + rng.uniform(1, 5) * slope, 0.3, 1.8).astype(np.float32)
    return _Shape(alpha, cv2.merge([relief] * 3), SurfaceView.drawn(rng, path))


@lru_cache(maxsize=48)
def _cut_out(path: Path, size_px: int) -> Image:
    """The opaque part of a picture, uint8 (h, w, 4), its longer side ``size_px``."""
    picture = _opaque_part(path)
    scale = size_px / max(picture.shape[:2])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    # What is transparent has any colour: it must not bleed into the edge when pixels are mixed.
    weight = picture[:, :, 3:].astype(np.float32) / 255
    mixed = cv2.resize(picture[:, :, :3] * weight, size, interpolation=how)
    weight = cv2.resize(weight, size, interpolation=how)[:, :, None]
    colours = np.clip(mixed / np.maximum(weight, 1e-3), 0, 255).astype(np.uint8)
    alpha = np.clip(255 * weight[:, :, 0], 0, 255).astype(np.uint8)
    cut_out: Image = cv2.merge([colours, alpha])
    return cut_out


@lru_cache(maxsize=4)
def _opaque_part(path: Path) -> Image:
    picture = read_picture(path) if path.is_file() else None
    if picture is None:
        raise SourceError(f"{path} is gone or damaged.", "Delete its package's folder; it is fetched again.")
    picture = picture[opaque_box(picture[:, :, 3])]
    colours, alpha = np.ascontiguousarray(picture[:, :, :3]), np.ascontiguousarray(picture[:, :, 3])
    part: Image = cv2.merge([exposed(colours, alpha), alpha])
    return part
