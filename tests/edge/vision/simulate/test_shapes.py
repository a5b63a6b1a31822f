from __future__ import annotations

import numpy as np
import pytest

from edge.vision.simulate.noise import blurred, fractal_noise, grain_of, lit_from_one_side
from edge.vision.simulate.scene import Scene
from edge.vision.simulate.shapes import Stroke, curve, irregular_region, stroke_region
from tests.edge.vision.simulate.parts import part, part_outline, sheet


@pytest.mark.parametrize("area_px", [20, 400, 5000])
@pytest.mark.parametrize("roughness", [0.0, 0.5, 1.2])
def test_an_irregular_region_has_its_area_on_the_object(area_px: float, roughness: float) -> None:
    scene = Scene.of(part(300, 400))
    outline = part_outline(300, 400)
    for seed in range(5):
        region = irregular_region(scene, np.random.default_rng(seed), area_px, roughness=roughness)
        assert float(region.alpha.sum()) == pytest.approx(area_px, rel=0.35)
        assert float((region.alpha * (outline[region.window.slices] == 0)).sum()) < 0.25 * area_px + 10


def test_an_ellipse_lies_around_its_place() -> None:
    scene = Scene.of(sheet(200, 200))
    region = irregular_region(scene, np.random.default_rng(1), 600, at=(60.0, 120.0), roughness=0)
    rows, columns = np.nonzero(region.alpha > 0.5)
    assert columns.mean() + region.window.left == pytest.approx(60, abs=1)
    assert rows.mean() + region.window.top == pytest.approx(120, abs=1)


def test_a_stroke_is_as_wide_as_asked_even_below_a_pixel() -> None:
    scene = Scene.of(sheet(200, 200))
    line = np.stack([np.linspace(20, 180, 30), np.full(30, 100)], axis=1).astype(np.float32)
    for width in (0.75, 2.0, 6.0):
        region = stroke_region(scene, [Stroke(line, np.full(30, width, np.float32))])
        assert region is not None
        assert float(region.alpha.sum()) / 160 == pytest.approx(width, rel=0.3)


def test_a_stroke_outside_the_image_is_none() -> None:
    away = np.array([[-90, -90], [-60, -60]], np.float32)
    assert stroke_region(Scene.of(sheet()), [Stroke(away, np.ones(2, np.float32))]) is None


def test_a_curve_without_bend_is_straight_and_as_long_as_asked() -> None:
    points = curve(np.random.default_rng(0), 100, bend=0, heading=0)
    assert points[0].tolist() == [0, 0]
    assert points[-1] == pytest.approx([100, 0], abs=1e-3)


def test_fractal_noise_is_repeatable_centred_and_of_any_shape() -> None:
    for shape in ((1, 33), (64, 48), (900, 1200)):
        one, two = (fractal_noise(np.random.default_rng(4), *shape) for _ in range(2))
        assert one.shape == shape and np.array_equal(one, two)
        assert np.abs(one).max() < 3
    wide = fractal_noise(np.random.default_rng(0), 400, 400, cells=40)
    assert abs(float(wide.mean())) < 0.05


def test_a_wide_blur_is_the_gaussian_it_stands_in_for() -> None:
    point = np.zeros((201, 201), np.float32)
    point[60:140, 80:120] = 1
    soft = blurred(point, 20.0)
    assert float(soft.sum()) == pytest.approx(float(point.sum()), rel=0.02)
    across = soft.sum(axis=0)
    spread = np.sqrt(np.average((np.arange(201) - 99.5) ** 2, weights=across))
    assert spread == pytest.approx(np.sqrt(20**2 + 40**2 / 12), rel=0.1)
    assert np.array_equal(blurred(point, 0), point)


def test_grain_has_no_shapes_and_light_falls_from_one_side() -> None:
    step = np.repeat(np.repeat([[50.0, 200.0]], 40, 0), 20, 1)[:, :, None].repeat(3, 2).astype(np.float32)
    assert np.abs(grain_of(step)).max() <= 1
    dome = blurred(np.pad(np.ones((20, 20), np.float32), 20), 4)
    lit = lit_from_one_side(np.random.default_rng(0), dome)
    assert np.abs(lit).max() == pytest.approx(1, abs=1e-3) and abs(float(lit.mean())) < 1e-3
