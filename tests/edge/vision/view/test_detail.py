"""A dot of twelve pixels on leather, in images of five megapixels: seen in tiles, and not without."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from edge.bundle import Bundle
from edge.image_types import Image
from edge.inspection import Verdict
from edge.vision.enrollment import enroll
from edge.vision.inspector import Inspector
from edge.vision.openvino import OpenVinoEngine
from edge.vision.view import View

pytestmark = pytest.mark.slow

HEIGHT, WIDTH = 2048, 2448
DOT_PX, DOT_LEVELS = 12, 60
GRAIN_PX = 28


def leather(seed: int, dot: tuple[int, int] | None = None) -> Image:
    """Rounded grains between creases, uneven in shade; perhaps with a dark dot at (x, y)."""
    rng = np.random.default_rng(seed)
    corners = np.ones((HEIGHT, WIDTH), np.uint8)
    grains = HEIGHT * WIDTH // GRAIN_PX**2
    corners[rng.integers(0, HEIGHT, grains), rng.integers(0, WIDTH, grains)] = 0
    shade = 120 - 38 * np.clip(cv2.distanceTransform(corners, cv2.DIST_L2, 5) / 14, 0, 1.4) ** 2
    for size, strength in ((2, 6), (9, 5), (120, 9)):
        noise = rng.standard_normal((HEIGHT // size, WIDTH // size)).astype(np.float32)
        shade += strength * cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    image = cv2.GaussianBlur(shade, (0, 0), 1.2)[:, :, None] * (0.55, 0.72, 1.0)
    if dot is not None:
        mark = np.zeros((HEIGHT, WIDTH), np.float32)
        cv2.circle(mark, dot, DOT_PX // 2, 1.0, -1, cv2.LINE_AA)
        image -= DOT_LEVELS * mark[:, :, None]
    return np.asarray(np.clip(image, 0, 255), np.uint8)


@pytest.fixture(scope="module")
def engine(default_bundle: Bundle) -> Iterator[OpenVinoEngine]:
    engine = OpenVinoEngine(default_bundle)
    yield engine
    engine.close()


def inspector(engine: OpenVinoEngine, view: View) -> Inspector:
    return Inspector(engine, enroll(engine, [leather(0), leather(1)], bundle_id="leather", view=view))


# By the seed of the leather. On grains: of ten such dots at random places seven were called a defect and
# eight found where they are; one that falls into a crease is as dark as that.
DOTS = {32: (1151, 1053), 33: (1527, 611)}


def test_it_is_found_where_it_is_with_the_detail_that_is_asked_for(engine: OpenVinoEngine) -> None:
    close = inspector(engine, View(detail_px=DOT_PX))
    assert close.memory.view.tiles == (5, 6)
    assert close.inspect(leather(20)).verdict is Verdict.OK
    for seed, (x, y) in DOTS.items():
        finding = close.inspect(leather(seed, (x, y)))
        assert finding.verdict is Verdict.NG
        strongest = finding.regions[0]
        assert strongest.x - 20 <= x <= strongest.x + strongest.width + 20
        assert strongest.y - 20 <= y <= strongest.y + strongest.height + 20


def test_in_one_look_it_is_missed_and_that_is_said(engine: OpenVinoEngine) -> None:
    blind = inspector(engine, View())
    assert [blind.inspect(leather(seed, dot)).verdict for seed, dot in DOTS.items()] == [Verdict.OK] * 2
    said = blind.blind_spot()
    assert said is not None and "defects smaller than about 60 px can be missed" in said
