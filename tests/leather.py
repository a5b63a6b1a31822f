"""Dots on rendered leather in images of five megapixels: what is found in how many looks, and in what time.

``python -m tests.leather`` prints the figures that docs/method.md gives; it takes about ten minutes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import cv2
import numpy as np

from edge.bundle import Bundle
from edge.image_types import Image
from edge.inspection import Verdict
from edge.vision.enrollment import enroll
from edge.vision.inspector import Finding, Inspector
from edge.vision.openvino import OpenVinoEngine
from edge.vision.view import View
from edge.vision.view.tiles import edges

HEIGHT, WIDTH = 2048, 2448
DOT_PX, DOT_LEVELS = 12, 60
GRAIN_PX = 28

_REFERENCES = 0, 1
_GOOD = range(20, 26)
_DOTTED = range(30, 40)
_PLACES_SEED = 5
_EDGE_PX = 60
_NEAR_PX = 20
_THIRTY = 5, 6


def leather(seed: int, dot: tuple[int, int] | None = None, dot_px: int = DOT_PX) -> Image:
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
        cv2.circle(mark, dot, dot_px // 2, 1.0, -1, cv2.LINE_AA)
        image -= DOT_LEVELS * mark[:, :, None]
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def is_at(finding: Finding, place: tuple[int, int]) -> bool:
    """Whether the strongest region of a finding lies at (x, y)."""
    if not finding.regions:
        return False
    strongest, (x, y) = finding.regions[0], place
    across = strongest.x - _NEAR_PX <= x <= strongest.x + strongest.width + _NEAR_PX
    return across and strongest.y - _NEAR_PX <= y <= strongest.y + strongest.height + _NEAR_PX


def places() -> list[tuple[int, int]]:
    """Where the dots are, at random."""
    rng = np.random.default_rng(_PLACES_SEED)
    inside = [
        (rng.integers(_EDGE_PX, WIDTH - _EDGE_PX), rng.integers(_EDGE_PX, HEIGHT - _EDGE_PX)) for _ in _DOTTED
    ]
    return [(int(x), int(y)) for x, y in inside]


def row(engine: OpenVinoEngine, view: View, references: int, sizes: Sequence[int]) -> str:
    """What one view finds, as a row of a Markdown table."""
    inspector = Inspector(
        engine, enroll(engine, [leather(seed) for seed in _REFERENCES[:references]], bundle_id="", view=view)
    )
    good = [leather(seed) for seed in _GOOD]
    began_s = time.perf_counter()
    alarms = sum(inspector.inspect(image).verdict is Verdict.NG for image in good)
    took_ms = (time.perf_counter() - began_s) / len(good) * 1e3
    cells = []
    for size in sizes:
        found = [
            (inspector.inspect(leather(seed, place, size)), place)
            for seed, place in zip(_DOTTED, places(), strict=True)
        ]
        ng = sum(finding.verdict is Verdict.NG for finding, _ in found)
        cells.append(f"{ng} / {sum(is_at(finding, place) for finding, place in found)}")
    rows, columns = inspector.memory.view.tiles
    return f"| {rows * columns} | {references} | {' | '.join(cells)} | {alarms} | {took_ms:.0f} |"


def ranks(engine: OpenVinoEngine, looks: int) -> list[int]:
    """Where the tile with the dot stands among the thirty, by the peak of a map that so many looks made."""
    view = View(detail_px=float(DOT_PX), most_looks=looks)
    references = [leather(seed) for seed in _REFERENCES]
    inspector = Inspector(engine, enroll(engine, references, bundle_id="", view=view))
    found = []
    for seed, (x, y) in zip(_DOTTED, places(), strict=True):
        anomaly_map = inspector.inspect(leather(seed, (x, y))).map
        down, across = anomaly_map.shape[0] / HEIGHT, anomaly_map.shape[1] / WIDTH
        peaks: dict[bool, list[float]] = {True: [], False: []}
        for left, top, right, bottom in edges((HEIGHT, WIDTH), _THIRTY):
            cells = anomaly_map[
                int(top * down) : int(bottom * down), int(left * across) : int(right * across)
            ]
            peaks[left <= x < right and top <= y < bottom].append(float(cells.max()))
        found.append(1 + sum(peak > max(peaks[True]) for peak in peaks[False]))
    return found


def main() -> None:
    """Print the table, and where a second look would go."""
    engine = OpenVinoEngine(Bundle.default())
    sizes = (DOT_PX, 16, 24)
    detail = View(detail_px=float(DOT_PX))
    print(f"{engine.precision}, of {len(_DOTTED)} dots: called ng / found where they are")
    heads = " | ".join(f"{size} px" for size in sizes)
    print(f"| looks | references | {heads} | false alarms of {len(_GOOD)} | ms a part |")
    print("|" + " --- |" * (len(sizes) + 4))
    for view in (View(), View(detail_px=float(DOT_PX), most_looks=9), detail):
        for references in (1, 2):
            print(row(engine, view, references, sizes), flush=True)
    for looks in (1, 6):
        print(f"rank of the dot's tile among thirty, after {looks} looks: {sorted(ranks(engine, looks))}")
    engine.close()


if __name__ == "__main__":
    main()
