"""Patches of good images in the wrong place: pasted with a hard edge, or blended in without a seam."""

from __future__ import annotations

import numpy as np

from edge.image_types import Array, Image
from edge.vision.simulate.colour import blend
from edge.vision.simulate.scene import ProposedDefect, Scene
from edge.vision.simulate.shapes import irregular_region

_LEAST_BLEND_PX = 25.0
_ERODED_PX = 3
_SOLVED_SIDE_PX = 256
_CANDIDATES = 3
_LIVELY_LEVELS = 20.0


def blended_patch(scene: Scene, rng: np.random.Generator, area_px: float) -> ProposedDefect | None:
    """A patch blended in by solving Poisson's equation (Pérez et al. 2003), as AnomalyGPT and NSA do."""
    import cv2

    area_px = max(area_px, _LEAST_BLEND_PX)
    soft = 0.06 * float(np.sqrt(area_px)) + 0.7
    region = irregular_region(scene, rng, area_px, roughness=float(rng.uniform(0.1, 0.5)), edge_px=soft)
    pixels = scene.crop(region.window)
    height, width = region.alpha.shape
    # A large patch is solved coarsely: the time grows with the square of its side.
    scale = min(1.0, _SOLVED_SIDE_PX / max(height, width))
    size = (max(3, round(width * scale)), max(3, round(height * scale)))
    target = cv2.resize(scene.image[region.window.slices], size, interpolation=cv2.INTER_AREA)
    inside = (cv2.resize(region.alpha, size, interpolation=cv2.INTER_AREA) > 0.3) * np.uint8(255)
    pad = _ERODED_PX + 2
    target = cv2.copyMakeBorder(target, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    inside = cv2.copyMakeBorder(inside, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    # seamlessClone erodes the mask before it solves: give it that much more.
    inside = cv2.dilate(inside, np.ones((3, 3), np.uint8), iterations=_ERODED_PX)
    patch = _liveliest(scene, rng, inside.shape[0], inside.shape[1])
    mode = cv2.MIXED_CLONE if rng.random() < 0.25 else cv2.NORMAL_CLONE
    left, top, across, down = cv2.boundingRect(inside)
    centre = (left + across // 2, top + down // 2)
    blended = cv2.seamlessClone(patch, target, inside, centre, mode)
    change = blended.astype(np.float32) - target
    change = cv2.resize(change[pad:-pad, pad:-pad], (width, height), interpolation=cv2.INTER_LINEAR)
    # It solves in the mask's bounding box, so that a faint change fills that: keep to the shape.
    return ProposedDefect(region.window, blend(pixels, pixels + change, region.alpha))


def pasted_patch(scene: Scene, rng: np.random.Generator, area_px: float) -> ProposedDefect | None:
    """A patch pasted as it is, turned, scaled and a little off in brightness (as in CutPaste)."""
    roughness = float(rng.choice([0.05, 0.3, 0.6]))
    region = irregular_region(scene, rng, area_px, roughness=roughness, edge_px=0.6)
    patch = _cut(scene, rng, region.window.height, region.window.width).astype(np.float32)
    gain, shift = rng.uniform(0.8, 1.25), rng.uniform(-20, 20)
    patch = np.clip(patch * gain + shift, 0, 255).astype(np.float32)
    return ProposedDefect(region.window, blend(scene.crop(region.window), patch, region.alpha))


def _cut(scene: Scene, rng: np.random.Generator, height: int, width: int) -> Image:
    """A patch uint8 (height, width, 3) of this image or a donor, turned, mirrored and scaled at random."""
    import cv2

    source = scene.sources[rng.integers(len(scene.sources))]
    x, y = scene.place(rng)  # donors are images of the same product: its object lies in about the same place
    x, y = x * source.shape[1] / scene.width, y * source.shape[0] / scene.height
    zoom = float(np.exp(rng.uniform(np.log(0.6), np.log(1.8))))
    turn = cv2.getRotationMatrix2D((x, y), float(rng.uniform(0, 360)), zoom)
    turn[:, 2] += (width / 2 - x, height / 2 - y)
    if rng.random() < 0.5:
        turn[0] = -turn[0]
        turn[0, 2] += width
    patch: Image = cv2.warpAffine(source, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return patch


def _liveliest(scene: Scene, rng: np.random.Generator, height: int, width: int) -> Image:
    """The patch with the most structure out of a few, its contrast raised where it is still even.

    Blending keeps a patch's gradients alone: without any, nothing would change.
    """
    patch = max((_cut(scene, rng, height, width) for _ in range(_CANDIDATES)), key=_spread)
    gain = float(np.clip(_LIVELY_LEVELS / (_spread(patch) + 1e-6), 1, 6))
    middle = patch.mean(axis=(0, 1))
    lively: Image = np.clip((patch - middle) * gain + middle, 0, 255).astype(np.uint8)
    return lively


def _spread(patch: Image) -> float:
    """The standard deviation of a patch's pixels, in grey levels."""
    import cv2

    return float(cv2.meanStdDev(patch)[1].mean())


def own_texture(scene: Scene, rng: np.random.Generator, height: int, width: int) -> Array:
    """A patch of good pixels made strange: shuffled channels, inverted, or steeper: float32 (h, w, 3)."""
    patch = _cut(scene, rng, height, width).astype(np.float32)
    if not scene.grey and rng.random() < 0.5:
        patch = patch[:, :, rng.permutation(3)]
    if rng.random() < 0.5:
        patch = 255 - patch
    strange: Array = np.clip((patch - 127) * rng.uniform(0.8, 2.0) + 127, 0, 255).astype(np.float32)
    return strange
