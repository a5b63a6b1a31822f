"""Outlines of defects: irregular regions and curved strokes, as alpha masks over a window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.image_types import Array, Mask
from edge.vision.simulate.noise import blurred, fractal_noise
from edge.vision.simulate.scene import Scene, Window

_FIELD_SIDE_PX = 192
_STROKE_STEPS = 32
_SUBPIXEL_BITS = 4


@dataclass(frozen=True, slots=True)
class ShapeRegion:
    """A window with alpha float32 (h, w), 0 outside the shape and 1 inside."""

    window: Window
    alpha: Array


def irregular_region(
    scene: Scene,
    rng: np.random.Generator,
    area_px: float,
    *,
    at: tuple[float, float] | None = None,
    roughness: float = 0.5,
    edge_px: float = 0.7,
    beyond_px: float = 0.0,
) -> ShapeRegion:
    """An irregular shape of about ``area_px`` on the object.

    Args:
        at: its centre (x, y); a random point of the object by default.
        roughness: 0 gives an ellipse, 1 a torn shape of several pieces.
        edge_px: how soft its edge is (standard deviation of the blur).
        beyond_px: how far it may reach over the object's edge.
    """
    import cv2

    x, y = at or scene.place(rng)
    elongation = float(np.exp(abs(rng.normal(0, 0.45))))
    angle = float(rng.uniform(0, np.pi))
    radius = float(np.sqrt(area_px / np.pi))
    reach = radius * elongation**0.5 * (1.5 + roughness) + 3 * edge_px + 1
    window = scene.window(x, y, reach, reach)

    # The outline is drawn coarsely and enlarged, so that a large defect costs no more than a small one.
    scale = min(1.0, _FIELD_SIDE_PX / max(window.width, window.height))
    size = (max(2, round(window.width * scale)), max(2, round(window.height * scale)))
    across = (np.arange(size[0], dtype=np.float32) + 0.5) / scale + window.left - x - 0.5
    down = (np.arange(size[1], dtype=np.float32) + 0.5) / scale + window.top - y - 0.5
    along = np.cos(angle) * across[None, :] + np.sin(angle) * down[:, None]
    beside = np.cos(angle) * down[:, None] - np.sin(angle) * across[None, :]
    distance = np.sqrt(along**2 / elongation + beside**2 * elongation) / max(radius, 0.5)
    field = roughness * fractal_noise(rng, size[1], size[0], cells=float(rng.uniform(2, 6))) - distance
    ground = scene.object_mask[window.slices]
    if beyond_px > 0:
        side = 2 * round(beyond_px) + 1
        ground = cv2.dilate(ground, np.ones((side, side), np.uint8))
    allowed = cv2.resize(ground, size, interpolation=cv2.INTER_NEAREST) > 0
    field = np.where(allowed, field, -1e3).astype(np.float32)

    wanted = int(np.clip(round(area_px * scale * scale), 1, max(1, int(allowed.sum()))))
    level = float(np.partition(field, -wanted, axis=None)[-wanted])
    hard = (field >= level).astype(np.float32)
    alpha = cv2.resize(hard, (window.width, window.height), interpolation=cv2.INTER_LINEAR)
    return ShapeRegion(window, blurred(alpha.astype(np.float32), edge_px) * (ground > 0))


def curve(
    rng: np.random.Generator, length_px: float, bend: float, jitter: float = 0.0, heading: float | None = None
) -> Array:
    """A random curve from the origin: float32 (N, 2) points.

    Args:
        bend: how far its heading wanders over its length, in radians.
        jitter: random kinks per step, in radians.
        heading: its first direction in radians; random by default.
    """
    start = float(rng.uniform(0, 2 * np.pi)) if heading is None else heading
    wander = np.cumsum(rng.normal(0, 1, _STROKE_STEPS))
    wander = np.convolve(wander, np.ones(5) / 5, mode="same") / np.sqrt(_STROKE_STEPS)
    headings = start + bend * wander + rng.normal(0, jitter, _STROKE_STEPS)
    steps = np.stack([np.cos(headings), np.sin(headings)], axis=1) * (length_px / _STROKE_STEPS)
    points: Array = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)]).astype(np.float32)
    return points


@dataclass(frozen=True, slots=True)
class Stroke:
    """A curve, points float32 (N, 2) in image pixels, with the width at each point float32 (N,)."""

    points: Array
    widths_px: Array


def stroke_region(scene: Scene, strokes: list[Stroke], edge_px: float = 0.5) -> ShapeRegion | None:
    """Strokes drawn as one alpha mask, kept to the object; None where all of them lie outside the image."""
    import cv2

    everything = np.concatenate([stroke.points for stroke in strokes])
    widest = max(float(stroke.widths_px.max()) for stroke in strokes)
    low, high = everything.min(axis=0), everything.max(axis=0)
    centre, half = (low + high) / 2, (high - low) / 2 + widest + 3 * edge_px + 1
    window = scene.window(float(centre[0]), float(centre[1]), float(half[0]), float(half[1]))
    if window.width <= 0 or window.height <= 0:
        return None

    # Hairlines need less than a pixel: draw enlarged and average down.
    zoom = 4 if widest < 4 and max(window.width, window.height) <= 640 else 1
    canvas = np.zeros((window.height * zoom, window.width * zoom), np.uint8)
    for stroke in strokes:
        points = (stroke.points - (window.left, window.top) + 0.5) * zoom - 0.5
        _draw_ribbon(canvas, points.astype(np.float32), stroke.widths_px * zoom, smooth=zoom == 1)
    alpha = cv2.resize(canvas, (window.width, window.height), interpolation=cv2.INTER_AREA)
    alpha = alpha.astype(np.float32) / 255
    alpha = blurred(alpha, edge_px)
    return ShapeRegion(window, (alpha * scene.on_object(window)).astype(np.float32))


def _draw_ribbon(canvas: Mask, points: Array, widths_px: Array, smooth: bool) -> None:
    """Draw a curve of varying width as quadrangles that share their corners (lines have even widths only)."""
    import cv2

    along = np.gradient(points, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-6
    # A filled polygon is drawn with its outline, which widens it by about this much.
    outline_px = 1.25 if smooth else 1.0
    half = np.maximum(widths_px - outline_px, 0.1)[:, None] / 2
    beside = np.stack([-along[:, 1], along[:, 0]], axis=1) * half
    left, right = points + beside, points - beside
    corners = np.stack([left[:-1], left[1:], right[1:], right[:-1]], axis=1)
    for quadrangle in np.round(corners * 2**_SUBPIXEL_BITS).astype(np.int32):
        cv2.fillConvexPoly(
            canvas, quadrangle, 255, cv2.LINE_AA if smooth else cv2.LINE_8, shift=_SUBPIXEL_BITS
        )
