"""Things that lie on a part: blobs, stains, specks."""

from __future__ import annotations

import numpy as np

from edge.vision.simulate.colour import blend, defect_colour, mean_under
from edge.vision.simulate.noise import blurred, fractal_noise, grain_of, lit_from_one_side
from edge.vision.simulate.scene import ProposedDefect, Scene
from edge.vision.simulate.shapes import irregular_region

_SUBPIXEL_BITS = 4
_SUBPIXELS = 2**_SUBPIXEL_BITS


def blob(scene: Scene, rng: np.random.Generator, area_px: float) -> ProposedDefect | None:
    """An irregular opaque spot, flat or with some body of its own."""
    region = irregular_region(
        scene, rng, area_px, roughness=float(rng.uniform(0.1, 0.6)), edge_px=float(rng.uniform(0.5, 1.5))
    )
    pixels = scene.crop(region.window)
    colour = defect_colour(scene, rng, mean_under(pixels, region.alpha))
    height, width = region.alpha.shape
    body = fractal_noise(rng, height, width, cells=5) * rng.uniform(0, 45)
    if rng.random() < 0.6:  # a crumb or a drop has a lit and a shaded side
        dome = blurred(region.alpha, max(1.0, 0.3 * float(np.sqrt(area_px / np.pi))))
        body = body + rng.uniform(30, 90) * lit_from_one_side(rng, dome)
    over = np.clip(colour + body[:, :, None] + grain_of(pixels), 0, 255).astype(np.float32)
    return ProposedDefect(region.window, blend(pixels, over, region.alpha))


def stain(scene: Scene, rng: np.random.Generator, area_px: float) -> ProposedDefect | None:
    """A translucent colour with a soft or a drop's edge, through which the part still shows."""
    radius = float(np.sqrt(area_px / np.pi))
    soft = float(rng.uniform(0.08, 0.35)) * radius if rng.random() < 0.6 else 0.8
    area_px /= 1 + 2 * soft / (radius + 1)  # a soft edge reaches out
    region = irregular_region(scene, rng, area_px, roughness=float(rng.uniform(0.1, 0.4)), edge_px=soft)
    pixels = scene.crop(region.window)
    alpha = region.alpha
    if rng.random() < 0.4:  # a drop that dried: its rim is the strongest
        inner = blurred(alpha, max(1.0, 0.15 * radius))
        alpha = alpha * np.clip(1.2 - 0.9 * inner, 0, 1)
    cloud = np.clip(0.8 + 0.4 * fractal_noise(rng, region.window.height, region.window.width), 0, 1)
    alpha = (alpha * cloud * rng.uniform(0.35, 0.8)).astype(np.float32)
    colour = defect_colour(scene, rng, mean_under(pixels, alpha))
    if rng.random() < 0.5:  # it takes light away, as oil or ink does
        absorbed = (pixels * (colour / 255)).astype(np.float32)
        return ProposedDefect(region.window, blend(pixels, absorbed, alpha))
    return ProposedDefect(region.window, blend(pixels, colour, alpha))


def specks(scene: Scene, rng: np.random.Generator, area_px: float) -> ProposedDefect | None:
    """Several small spots of one colour near each other: dust, splashes, pores."""
    import cv2

    count = int(rng.integers(3, 16))
    count = max(2, min(count, int(area_px / 4)))
    shares = rng.dirichlet(np.full(count, 1.5)) * area_px
    middle = np.array(scene.place(rng))
    spread = float(np.sqrt(area_px)) * float(rng.uniform(1.2, 4)) + 4
    spread = min(spread, 0.35 * float(np.sqrt(scene.object_area_px)))
    reach = spread + 1.5 * float(np.sqrt(shares.max() / np.pi)) + 2
    window = scene.window(float(middle[0]), float(middle[1]), reach, reach)
    canvas = np.zeros((window.height, window.width), np.uint8)
    for share in shares:
        centre = middle + np.clip(rng.normal(0, spread / 2, 2), -spread, spread)
        stretch = float(np.exp(np.clip(rng.normal(0, 0.3), -0.4, 0.4)))
        axes = np.sqrt(share / np.pi) * np.array([stretch, 1 / stretch])
        tilt = float(rng.uniform(0, 180))
        place = np.round((centre - (window.left, window.top)) * _SUBPIXELS).astype(int).tolist()
        halves = np.maximum(1, np.round(axes * _SUBPIXELS)).astype(int).tolist()
        cv2.ellipse(canvas, place, halves, tilt, 0, 360, 255, -1, cv2.LINE_AA, shift=_SUBPIXEL_BITS)
    alpha = cv2.GaussianBlur(canvas.astype(np.float32) / 255, (0, 0), 0.5) * scene.on_object(window)
    pixels = scene.crop(window)
    colour = defect_colour(scene, rng, mean_under(pixels, alpha))
    return ProposedDefect(window, blend(pixels, colour, alpha.astype(np.float32)))
