"""Material that is gone or broken: missing pieces, chipped edges, shattered places."""

from __future__ import annotations

import numpy as np

from edge.image_types import Array
from edge.vision.simulate.colour import blend, mean_under
from edge.vision.simulate.noise import blurred, fractal_noise, grain_of, lit_from_one_side
from edge.vision.simulate.scene import ProposedDefect, Scene
from edge.vision.simulate.shapes import ShapeRegion, irregular_region

_FILL_SIDE_PX = 40
_FACETS_SIDE_PX = 128


def missing(scene: Scene, rng: np.random.Generator, area_px: float) -> ProposedDefect | None:
    """A piece that is not there: the background shows, or the surroundings close over it."""
    beyond = _edge_margin_px(scene)
    roughness = float(rng.uniform(0, 0.4))
    region = irregular_region(scene, rng, area_px, roughness=roughness, edge_px=0.8, beyond_px=beyond)
    pixels = scene.crop(region.window)
    if scene.background is not None and rng.random() < 0.5:
        fill = scene.background + grain_of(pixels) * 0.3
    else:
        fill = _surroundings(pixels, region.alpha) + grain_of(pixels)
        if rng.random() < 0.6:  # the hole has a floor, partly in the shade of its own wall
            wall = blurred(region.alpha, max(1.0, 0.15 * float(np.sqrt(area_px))))
            fill = fill * float(rng.uniform(0.5, 1)) + 60 * lit_from_one_side(rng, wall)[:, :, None]
    return ProposedDefect(
        region.window, blend(pixels, np.clip(fill, 0, 255).astype(np.float32), region.alpha)
    )


def chip(scene: Scene, rng: np.random.Generator, area_px: float) -> ProposedDefect | None:
    """A bite out of the object's edge, with a rim of broken material; the image's edge stands in for it."""
    at, beyond = _edge_point(scene, rng), _edge_margin_px(scene)
    roughness = float(rng.uniform(0.3, 0.8))
    region = irregular_region(scene, rng, area_px, at=at, roughness=roughness, beyond_px=beyond)
    pixels = scene.crop(region.window)
    if scene.background is not None and rng.random() < 0.6:
        gone = np.broadcast_to(scene.background, pixels.shape)
    else:  # the break shows the material's inside
        inside = mean_under(pixels, region.alpha)
        shade = float(rng.uniform(0.3, 0.7)) if inside.mean() > 60 else float(rng.uniform(1.6, 3.0))
        bumps = fractal_noise(rng, region.window.height, region.window.width, cells=float(rng.uniform(3, 8)))
        slope = blurred(region.alpha, max(1.0, 0.3 * float(np.sqrt(area_px))))
        gone = inside * shade + (30 * bumps + 40 * lit_from_one_side(rng, slope))[:, :, None]
    over = np.clip(gone + grain_of(pixels) * 0.5, 0, 255).astype(np.float32)
    changed = blend(pixels, over, region.alpha)
    return ProposedDefect(region.window, _with_rim(changed, region, rng))


def shards(scene: Scene, rng: np.random.Generator, area_px: float) -> ProposedDefect | None:
    """A shattered place: flat facets that each reflect their own light, a few of them brightly."""
    import cv2

    region = irregular_region(scene, rng, area_px, roughness=float(rng.uniform(0.4, 0.9)), edge_px=0.6)
    height, width = region.alpha.shape
    pixels = scene.crop(region.window)
    scale = min(1.0, _FACETS_SIDE_PX / max(height, width))
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    count = int(rng.integers(5, 25))
    centres = rng.uniform(0, 1, (count, 2)) * size
    columns, rows = np.arange(size[0])[None, :, None], np.arange(size[1])[:, None, None]
    # Facets are the cells of random points, stretched along one direction as splinters are.
    lean = rng.normal(0, 0.5)
    across = columns - centres[:, 0]
    facet = np.argmin(across**2 + (rows - centres[:, 1] + lean * across) ** 2, axis=2)
    light = rng.normal(0, 25, count) + np.where(rng.random(count) < 0.2, rng.uniform(60, 220, count), 0)
    slope = rng.normal(0, 60, (count, 2)) / max(size)
    shade = light[facet]
    shade += slope[facet, 0] * (columns[:, :, 0] - centres[facet, 0])
    shade += slope[facet, 1] * (rows[:, :, 0] - centres[facet, 1])
    shade = cv2.resize(shade.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    body = mean_under(pixels, region.alpha)
    over = np.clip(body + shade[:, :, None] + grain_of(pixels), 0, 255).astype(np.float32)
    return ProposedDefect(region.window, blend(pixels, over, region.alpha))


def _with_rim(pixels: Array, region: ShapeRegion, rng: np.random.Generator) -> Array:
    """A thin light or dark rim along a region's edge, where the break catches the light."""
    rim = 4 * region.alpha * (1 - region.alpha)
    return (pixels + float(rng.choice([-1, 1])) * float(rng.uniform(0, 60)) * rim[:, :, None]).astype(
        np.float32
    )


def _edge_point(scene: Scene, rng: np.random.Generator) -> tuple[float, float]:
    """A random point (x, y) on the object's outline, or on the image's border where it fills the image."""
    import cv2

    if scene.background is None:
        along = float(rng.uniform(0, 2 * (scene.width + scene.height)))
        if along < 2 * scene.width:
            return along % scene.width, 0.0 if along < scene.width else scene.height - 1.0
        along -= 2 * scene.width
        return 0.0 if along < scene.height else scene.width - 1.0, along % scene.height
    outlines, _ = cv2.findContours(scene.object_mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=len)
    x, y = outline[rng.integers(len(outline)), 0]
    return float(x), float(y)


def _edge_margin_px(scene: Scene) -> float:
    """How far beyond the object's mask its soft edge may reach: a piece that is gone takes that along."""
    return 0.0 if scene.background is None else 2 + max(scene.width, scene.height) / 100


def _surroundings(pixels: Array, alpha: Array) -> Array:
    """The window with its region filled smoothly from around it (Telea's inpainting, drawn coarsely)."""
    import cv2

    height, width = alpha.shape
    scale = min(1.0, _FILL_SIDE_PX / max(height, width))
    size = (max(3, round(width * scale)), max(3, round(height * scale)))
    small = np.clip(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), 0, 255).astype(np.uint8)
    gone = (cv2.resize(alpha, size, interpolation=cv2.INTER_AREA) > 0.02).astype(np.uint8)
    filled = cv2.inpaint(small, gone, 3, cv2.INPAINT_TELEA).astype(np.float32)
    smooth: Array = cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC)
    return smooth
