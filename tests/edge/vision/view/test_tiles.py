"""In tiles, small defects of large images are seen; nothing lies between two tiles, and nothing is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.choices import MOST_LOOKS
from edge.errors import ProductError
from edge.vision.enrollment import enroll
from edge.vision.inspector import Finding, Inspector
from edge.vision.memory import Memory
from edge.vision.openvino import OpenVinoEngine
from edge.vision.view import WHOLE_FRAME, AskedView, View, cut, mosaic, mosaic_size, reduced
from edge.vision.view.tiles import SEEN_PX, Tiles, closest_px, smallest_seen_px, tiles_for

HEIGHT, WIDTH = 384, 512
COUNTS = st.integers(1, 6)
SIDES = st.integers(32, 300)


@given(height=SIDES, width=SIDES, rows=COUNTS, columns=COUNTS)
@settings(deadline=None)
def test_every_pixel_is_seen_and_neighbours_overlap(height: int, width: int, rows: int, columns: int) -> None:
    numbers = np.arange(height * width, dtype=np.int32).reshape(height, width)
    pieces = cut(numbers, (rows, columns))  # type: ignore[arg-type]
    assert len(pieces) == rows * columns
    assert len({piece.shape for piece in pieces}) == 1
    seen = np.unique(np.concatenate([piece.ravel() for piece in pieces]))
    assert len(seen) == height * width
    if columns > 1 and width >= 30 * columns:
        shared = np.intersect1d(pieces[0], pieces[1]).size / pieces[0].size
        assert 0.05 <= shared <= 0.3


@given(height=SIDES, width=SIDES, rows=COUNTS, columns=COUNTS, seed=st.integers(0, 99))
@settings(deadline=None)
def test_the_maps_of_tiles_are_put_where_they_came_from(
    height: int, width: int, rows: int, columns: int, seed: int
) -> None:
    tiles, rng = (rows, columns), np.random.default_rng(seed)
    whole = rng.random(mosaic_size((height, width), tiles), np.float32)
    again = mosaic([np.ascontiguousarray(piece) for piece in cut(whole, tiles)], tiles)  # type: ignore[arg-type]
    assert again.shape == whole.shape
    small = reduced(again, (height, width))
    assert small.shape == (height, width)
    assert small.max() == again.max(), "no peak gets lower"


@given(
    box=st.tuples(st.integers(100, 4000), st.integers(100, 4000)),
    smallest_px=st.floats(2, 100),
)
def test_as_few_tiles_as_needed_are_taken(box: tuple[int, int], smallest_px: float) -> None:
    size = (448, 448)
    try:
        rows, columns = tiles_for(box, size, smallest_px)
    except ProductError as error:
        assert "--detail" in error.remedy
        return
    assert rows * columns <= MOST_LOOKS
    assert smallest_seen_px(box, size, (rows, columns)) <= smallest_px
    fewer: list[Tiles] = [(rows - 1, columns)] if rows > 1 else []
    fewer += [(rows, columns - 1)] if columns > 1 else []
    assert all(smallest_seen_px(box, size, each) > smallest_px for each in fewer)


@given(box=st.tuples(st.integers(100, 4000), st.integers(100, 4000)), most_tiles=st.integers(1, 8))
def test_as_close_as_so_many_tiles_allow(box: tuple[int, int], most_tiles: int) -> None:
    size = (448, 448)
    closest = closest_px(box, size, most_tiles)
    rows, columns = tiles_for(box, size, closest)
    assert rows * columns <= most_tiles
    assert closest == SEEN_PX / 1.5 or np.prod(tiles_for(box, size, closest * 0.95)) > most_tiles


def sheet(seed: int, dot: tuple[int, int] | None = None) -> np.ndarray:
    """Coarse cloth; a dot of 12 px is a fortieth of its width."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(128, 6, (HEIGHT // 8, WIDTH // 8, 3)).astype(np.float32)
    image = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    if dot is not None:
        cv2.circle(image, dot, 6, (0, 0, 255), -1)
    return np.asarray(np.clip(image, 0, 255), np.uint8)


@pytest.fixture(scope="module")
def inspector(engine: OpenVinoEngine) -> Inspector:
    """Of sheets in so many tiles that a dot measures a patch."""
    memory = enroll(engine, [sheet(0), sheet(1)], bundle_id="tiny", view=View(detail_px=DETAIL_PX))
    assert memory.view.tiles == (2, 3)
    return Inspector(engine, memory)


DETAIL_PX = 29.0


def told(finding: Finding) -> tuple[object, ...]:
    return finding.score, finding.verdict, finding.location, finding.regions, finding.map.tobytes()


def test_a_part_in_tiles_is_judged_alike_in_one_go_and_encoded_before(
    engine: OpenVinoEngine, inspector: Inspector
) -> None:
    image = sheet(5, dot=(300, 100))
    placement = inspector.placed(image)
    encoded = [engine.encode(piece) for piece in placement.pieces(image)]
    assert len(encoded) == 6
    assert told(inspector.inspect(image)) == told(inspector.inspect_encoded(encoded, placement))


@pytest.mark.parametrize("dot", [(60, 60), (450, 330), (256, 192), (180, 200)])
def test_what_is_found_in_a_tile_lies_where_it_is_in_the_image(
    inspector: Inspector, dot: tuple[int, int]
) -> None:
    good, bad = inspector.inspect(sheet(6)), inspector.inspect(sheet(6, dot))
    assert bad.score > good.score
    strongest = bad.regions[0]
    assert strongest.x - 8 <= dot[0] <= strongest.x + strongest.width + 8
    assert strongest.y - 8 <= dot[1] <= strongest.y + strongest.height + 8
    assert bad.map.shape == inspector.warm_up().map.shape


def test_what_is_looked_at_is_outlined_tile_by_tile(inspector: Inspector) -> None:
    outlines = np.array(inspector.inspect(sheet(6)).outlines)
    assert outlines.shape == (6, 4, 2)
    assert (outlines.min(axis=(0, 1)) == 0).all() and tuple(outlines.max(axis=(0, 1))) == (WIDTH, HEIGHT)


def test_ignored_places_count_in_no_tile(engine: OpenVinoEngine) -> None:
    view = View((HEIGHT, WIDTH), ignore=(((150, 0), (349, 0), (349, 383), (150, 383)),), detail_px=DETAIL_PX)
    inspector = Inspector(engine, enroll(engine, [sheet(0)], bundle_id="tiny", view=view))
    assert inspector.memory.view.tiles == (2, 3)
    assert told(inspector.inspect(sheet(7))) == told(inspector.inspect(sheet(7, dot=(250, 200))))
    assert told(inspector.inspect(sheet(7))) != told(inspector.inspect(sheet(7, dot=(60, 200))))


def test_the_tiles_are_kept_with_the_product_and_made_anew_for_other_images(
    inspector: Inspector, tmp_path: Path
) -> None:
    inspector.memory.save(tmp_path / "memory.npz")
    kept = Memory.load(tmp_path / "memory.npz").view
    assert kept == inspector.memory.view
    small = np.zeros((64, 64, 3), np.uint8)
    assert AskedView().over(kept, (64, 64)).learned_from([small], (56, 56)).tiles == (1, 1)
    assert AskedView(detail="none").over(kept, (HEIGHT, WIDTH)).detail_px == 0
    with pytest.raises(ProductError, match="'tiny' is no size of a defect"):
        AskedView(detail="tiny").over(kept, (HEIGHT, WIDTH))


def test_a_defects_size_may_be_given_in_millimetres() -> None:
    def pixels(detail: str, mm_per_px: float | None = None) -> float:
        return AskedView(detail=detail, mm_per_px=mm_per_px).over(WHOLE_FRAME, (HEIGHT, WIDTH)).detail_px

    assert pixels("0.5mm", 0.04) == pixels("0.5 mm", 0.04) == pytest.approx(12.5)
    assert pixels("12", 0.04) == 12
    with pytest.raises(ProductError, match="is in millimetres") as caught:
        pixels("0.5mm")
    assert "--mm-per-px" in caught.value.remedy
    with pytest.raises(ProductError, match=r"'0.01mm' \(0.25 px\) is no size"):
        pixels("0.01mm", 0.04)


def test_no_more_looks_are_taken_than_may_be(engine: OpenVinoEngine) -> None:
    def learned(**asked: Any) -> View:
        view = AskedView(**asked).over(WHOLE_FRAME, (HEIGHT, WIDTH))
        return view.learned_from([sheet(0)], engine.input_size)

    assert learned(detail=f"{DETAIL_PX}").tiles == (2, 3)
    few = learned(detail=f"{DETAIL_PX}", looks=2)
    assert few.tiles == (1, 2) and few.detail_px == DETAIL_PX, "it is still what must be seen"
    assert few.smallest_seen_px((HEIGHT, WIDTH), engine.input_size) > DETAIL_PX
    assert learned(detail=f"{DETAIL_PX}", looks=36).tiles == (2, 3), "no closer than was asked for"
    assert np.prod(learned(looks=4).tiles) == 4, "as close as so many allow"
    assert AskedView(looks=0).over(few, (HEIGHT, WIDTH)).learned_from(
        [sheet(0)], engine.input_size
    ).tiles == (2, 3)


def test_what_a_large_image_hides_is_said_until_it_is_looked_at_closely(
    engine: OpenVinoEngine, inspector: Inspector
) -> None:
    size = engine.input_size
    shape = 20 * size[0], 20 * size[1]
    said = View().hides(shape, size)
    assert said is not None and f"{shape[1]}x{shape[0]} px" in said and "smaller than about 220 px" in said
    assert View().hides(size, size) is None
    assert inspector.blind_spot() == inspector.memory.view.hides((HEIGHT, WIDTH), size)
