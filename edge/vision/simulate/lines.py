"""Long thin defects: scratches, cracks, fibres."""

from __future__ import annotations

import numpy as np

from edge.image_types import Array
from edge.vision.simulate.colour import blend, defect_colour, mean_under, plain_colour
from edge.vision.simulate.noise import fractal_noise, grain_of
from edge.vision.simulate.scene import ProposedDefect, Scene
from edge.vision.simulate.shapes import Stroke, curve, stroke_region

_THINNEST_PX = 0.7


def scratch(scene: Scene, rng: np.random.Generator, area_px: float) -> ProposedDefect | None:
    """One to many nearly parallel thin strokes: a groove has a dark and a light side, a rub only one."""
    import cv2

    count = int(rng.choice([1, 1, 1, 2, 3, 6]))
    count, length, width = _strokes(scene, rng, area_px, count, slenderness=(15, 90), thickest=0.012)
    heading, bend = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0, 0.8)) / count
    place = np.array(scene.place(rng))
    strokes = []
    for _ in range(count):
        own_length = length * float(rng.uniform(0.6, 1.1))
        points = curve(rng, own_length, bend, heading=heading + float(rng.normal(0, 0.06)))
        offset = rng.normal(0, 2 * width + 0.08 * length, 2) if count > 1 else np.zeros(2)
        start = place + offset - points[len(points) // 2]
        strokes.append(Stroke((points + start).astype(np.float32), width * _pressure(rng, len(points))))
    region = stroke_region(scene, strokes, edge_px=float(rng.uniform(0.4, 0.8)))
    if region is None:
        return None
    pixels = scene.crop(region.window)
    height, breadth = region.alpha.shape
    uneven = np.clip(0.75 + 0.6 * fractal_noise(rng, height, breadth, cells=8), 0, 1).astype(np.float32)
    alpha = (region.alpha * uneven).astype(np.float32)
    if rng.random() < 0.5:  # a groove: light falls on one of its sides
        side = max(1.0, width * 0.7)
        slide = np.array([[1, 0, side * np.sin(heading)], [0, 1, -side * np.cos(heading)]], np.float32)
        other = cv2.warpAffine(alpha, slide, (breadth, height)) * scene.on_object(region.window)
        lift = float(rng.choice([-1, 1])) * 160 * (alpha - float(rng.uniform(0.4, 1)) * other)
        return ProposedDefect(region.window, (pixels + lift[:, :, None]).astype(np.float32))
    return ProposedDefect(region.window, blend(pixels, plain_colour(rng, mean_under(pixels, alpha)), alpha))


def crack(scene: Scene, rng: np.random.Generator, area_px: float) -> ProposedDefect | None:
    """A branching random walk that gets thinner, mostly darker; a large one is a web of them."""
    count, length, width = _strokes(scene, rng, area_px, 1, slenderness=(20, 120), thickest=0.012)
    place = np.array(scene.place(rng))
    strokes: list[Stroke] = []
    for _ in range(count):
        points = curve(rng, length, bend=1.2, jitter=0.45)
        # Alone it lies around its place; the cracks of a web start there.
        start = place - points[len(points) // 2 if count == 1 else 0]
        strokes += _branching(rng, (points + start).astype(np.float32), length, width)
    region = stroke_region(scene, strokes, edge_px=0.5)
    if region is None:
        return None
    pixels = scene.crop(region.window)
    under = mean_under(pixels, region.alpha)
    dark = under.mean() > 40 and rng.random() < 0.85
    colour = under * float(rng.uniform(0, 0.3)) if dark else np.clip(under + 140, 0, 255)
    return ProposedDefect(region.window, blend(pixels, colour.astype(np.float32), region.alpha))


def _branching(rng: np.random.Generator, points: Array, length: float, width: float) -> list[Stroke]:
    """A crack along the points, with up to three thinner ones that leave it."""
    taper = np.linspace(1.2, 0.4, len(points)) * _pressure(rng, len(points))
    strokes = [Stroke(points, (width * taper).astype(np.float32))]
    for _ in range(int(rng.integers(0, 4))):
        knot = int(rng.integers(3, len(points) - 3))
        ahead = points[knot + 1] - points[knot]
        heading = float(np.arctan2(ahead[1], ahead[0]) + rng.choice([-1, 1]) * rng.uniform(0.4, 1.2))
        branch = curve(rng, length * float(rng.uniform(0.1, 0.4)), 1.0, jitter=0.45, heading=heading)
        thin = width * taper[knot] * np.linspace(0.8, 0.3, len(branch))
        strokes.append(Stroke((branch + points[knot]).astype(np.float32), thin.astype(np.float32)))
    return strokes


def fibre(scene: Scene, rng: np.random.Generator, area_px: float) -> ProposedDefect | None:
    """Hairs, threads or stalks lying on the part: long, curled, softly edged, of one colour."""
    count = int(rng.choice([1, 1, 1, 2, 3]))
    count, length, width = _strokes(scene, rng, area_px, count, slenderness=(6, 60), thickest=0.035)
    place, bend = np.array(scene.place(rng)), float(rng.uniform(0.2, 4))
    strokes = []
    for _ in range(count):
        points = curve(rng, length * float(rng.uniform(0.6, 1.1)), bend)
        offset = rng.normal(0, 0.15 * length, 2) if count > 1 else np.zeros(2)
        start = place + offset - points[len(points) // 2]
        ends = np.sin(np.linspace(0.15, np.pi - 0.15, len(points))) ** 0.5
        widths = (width * ends * _pressure(rng, len(points))).astype(np.float32)
        strokes.append(Stroke((points + start).astype(np.float32), widths))
    region = stroke_region(scene, strokes, edge_px=float(rng.uniform(0.5, 0.5 + 0.25 * width)))
    if region is None:
        return None
    pixels = scene.crop(region.window)
    colour = defect_colour(scene, rng, mean_under(pixels, region.alpha))
    return ProposedDefect(region.window, blend(pixels, colour + grain_of(pixels), region.alpha))


def _strokes(
    scene: Scene,
    rng: np.random.Generator,
    area_px: float,
    count: int,
    slenderness: tuple[float, float],
    thickest: float,
) -> tuple[int, float, float]:
    """How many strokes, how long and how wide, make up an area: (count, length, width) in pixels.

    What is too much for ``count`` strokes as long as the object and ``thickest`` of that wide takes
    more of them, not thicker ones.
    """
    object_side = float(np.sqrt(scene.object_area_px))
    longest, widest = 0.9 * object_side, max(1.5, thickest * object_side)
    ratio = float(np.exp(rng.uniform(np.log(slenderness[0]), np.log(slenderness[1]))))
    width = float(np.clip(np.sqrt(area_px / count / ratio), _THINNEST_PX, widest))
    length = min(longest, area_px / count / width)
    width = float(np.clip(area_px / count / length, _THINNEST_PX, widest))
    return max(count, round(area_px / (length * width))), length, width


def _pressure(rng: np.random.Generator, count: int) -> Array:
    """How the width varies along a stroke: float32 (count,) around 1."""
    wave = fractal_noise(rng, 1, max(count, 2), cells=4)[0, :count]
    pressure: Array = np.clip(1 + 0.5 * wave, 0.4, 1.6).astype(np.float32)
    return pressure
