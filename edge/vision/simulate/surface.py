"""Changes of the surface itself: shifted colour, foreign texture, dents and rubs."""

from __future__ import annotations

import numpy as np

from edge.image_types import Array
from edge.vision.simulate.colour import blend
from edge.vision.simulate.noise import blurred, fractal_noise, lit_from_one_side
from edge.vision.simulate.patches import own_texture
from edge.vision.simulate.scene import ProposedDefect, Scene
from edge.vision.simulate.shapes import irregular_region

_DEEPEST_SHADE = 120.0


def colour_shift(scene: Scene, rng: np.random.Generator, area_px: float) -> ProposedDefect | None:
    """A region that is brighter, darker or of another tint, its texture untouched."""
    radius = float(np.sqrt(area_px / np.pi))
    soft = float(rng.choice([0.7, 0.1 * radius + 0.7, 0.3 * radius + 0.7]))
    area_px /= 1 + 2 * soft / (radius + 1)  # a soft edge reaches out
    region = irregular_region(scene, rng, area_px, roughness=float(rng.uniform(0, 0.4)), edge_px=soft)
    pixels = scene.crop(region.window)
    gain = float(rng.choice([rng.uniform(0.4, 0.75), rng.uniform(1.3, 1.9)]))
    tint = np.zeros(3) if scene.grey or rng.random() < 0.4 else rng.uniform(-0.4, 0.4, 3)
    offset = 25.0 * (1 if gain > 1 else -1)  # black pixels have to change as well
    shifted = np.clip(pixels * (gain + tint) + offset, 0, 255).astype(np.float32)
    return ProposedDefect(region.window, blend(pixels, shifted, region.alpha))


def texture(scene: Scene, rng: np.random.Generator, area_px: float) -> ProposedDefect | None:
    """A foreign texture in a torn mask of fractal noise (as in DRAEM), from good pixels or procedural."""
    region = irregular_region(scene, rng, area_px, roughness=float(rng.uniform(0.6, 1.5)), edge_px=0.8)
    height, width = region.alpha.shape
    pixels = scene.crop(region.window)
    if rng.random() < 0.5:
        foreign = own_texture(scene, rng, height, width)
    else:
        foreign = _procedural(scene, rng, height, width)
    opacity = np.float32(rng.uniform(0.4, 1))
    return ProposedDefect(region.window, blend(pixels, foreign, region.alpha * opacity))


def relief(scene: Scene, rng: np.random.Generator, area_px: float) -> ProposedDefect | None:
    """A dent, bump or rubbed place: a bumpy height field under light from one side."""
    radius = float(np.sqrt(area_px / np.pi))
    region = irregular_region(scene, rng, area_px, roughness=float(rng.uniform(0.2, 0.9)), edge_px=0.8)
    pixels = scene.crop(region.window)
    fine = rng.random() < 0.5
    cells = float(rng.uniform(8, 24)) if fine else float(rng.uniform(1.5, 4))
    height_field = fractal_noise(
        rng, region.window.height, region.window.width, cells=cells, octaves=4 if fine else 2
    )
    smooth = blurred(region.alpha, max(0.8, 0.2 * radius))
    height_field = (height_field + float(rng.choice([-2, 2])) * smooth) * smooth
    shade = _DEEPEST_SHADE * lit_from_one_side(rng, height_field) * region.alpha
    return ProposedDefect(region.window, (pixels + shade[:, :, None]).astype(np.float32))


def _procedural(scene: Scene, rng: np.random.Generator, height: int, width: int) -> Array:
    """A texture of fractal noise or stripes between two colours: float32 (height, width, 3)."""
    wave = fractal_noise(rng, height, width, cells=float(rng.uniform(3, 20)))
    if rng.random() < 0.4:
        angle, period = rng.uniform(0, np.pi), rng.uniform(3, 16)
        rows, columns = np.mgrid[0:height, 0:width]
        phase = (np.cos(angle) * columns + np.sin(angle) * rows) * (2 * np.pi / period)
        wave = np.sin(phase + 3 * wave).astype(np.float32)
    mix = np.clip(0.5 + 0.7 * wave, 0, 1)[:, :, None]
    first, second = rng.uniform(0, 255, (2, 1 if scene.grey else 3))
    return np.broadcast_to(first * mix + second * (1 - mix), (height, width, 3)).astype(np.float32)
