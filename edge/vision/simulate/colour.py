"""Colours that defects have: darker, lighter, dirty, vivid, or borrowed from the product."""

from __future__ import annotations

import numpy as np

from edge.image_types import Array
from edge.vision.simulate.scene import Scene


def plain_colour(rng: np.random.Generator, under: Array) -> Array:
    """A nearly white or nearly black that stands out from ``under``: float32 (3,) BGR both."""
    lighter = bool(rng.random() < np.clip(0.9 - float(under.mean()) / 255, 0.1, 0.9))
    level = rng.uniform(200, 255) if lighter else rng.uniform(0, 45)
    return np.full(3, level, np.float32)


def defect_colour(scene: Scene, rng: np.random.Generator, under: Array) -> Array:
    """The colour of something that does not belong on ``under``: float32 (3,) BGR both.

    It is strong on purpose: the simulator fades every defect to the contrast that it was asked for.
    """
    plain = plain_colour(rng, under)
    if scene.grey:
        return plain
    choice = rng.random()
    if choice < 0.55:  # dirt, metal and paper are nearly grey, a little warm
        tint = np.array([-1.0, 0.0, 1.0]) * rng.uniform(0, 25)
        return np.clip(plain + tint, 0, 255).astype(np.float32)
    if choice < 0.75:  # ink, paint, another product
        hue = rng.uniform(0, 2 * np.pi)
        wheel = np.cos(hue + np.array([0.0, 2.0, 4.0]) * np.pi / 3)
        return np.clip(127 + 128 * wheel * rng.uniform(0.3, 1), 0, 255).astype(np.float32)
    source = scene.sources[rng.integers(len(scene.sources))]  # the product's own colours in the wrong place
    own = source[rng.integers(source.shape[0]), rng.integers(source.shape[1])].astype(np.float32)
    return own if float(np.abs(own - under).mean()) > 30 else plain


def mean_under(pixels: Array, alpha: Array) -> Array:
    """The mean colour float32 (3,) of (h, w, 3) pixels under an alpha mask (h, w)."""
    weight = float(alpha.sum()) + 1e-6
    mean: Array = ((pixels * alpha[:, :, None]).sum(axis=(0, 1)) / weight).astype(np.float32)
    return mean


def blend(pixels: Array, over: Array, alpha: Array) -> Array:
    """``over`` laid on ``pixels``, both broadcastable to (h, w, 3), by alpha (h, w)."""
    laid: Array = (pixels + (over - pixels) * alpha[:, :, None]).astype(np.float32)
    return laid
