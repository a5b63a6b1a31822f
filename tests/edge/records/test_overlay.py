"""The overlay shows heat where the map is high, boxes where the regions are, and what was said."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.inspection import Region, Verdict
from edge.records.lettering import BOLD, Lettering
from edge.records.overlay import COLOURS, MAX_SIDE_PX, MIN_SIDE_PX, draw_overlay, heat_overlay, verdict_strip
from tests.edge.records.parts import inspected, spot

GREY = np.full((500, 500, 3), 128, np.uint8)
PLAIN = inspected(verdict="ok", regions=(), location="")


def test_a_good_parts_map_leaves_the_image_as_it_was() -> None:
    for values in (np.zeros((32, 32)), np.full((32, 32), 0.14), np.full((32, 32), -3.0)):
        assert np.array_equal(heat_overlay(GREY, values.astype(np.float32), PLAIN), GREY)


def test_heat_lies_where_the_map_is_high_and_nowhere_else() -> None:
    changed = np.any(heat_overlay(GREY, spot(), PLAIN) != GREY, axis=-1)
    rows, columns = np.nonzero(changed)
    # The spot covers 4/32 to 10/32 of each side; interpolation softens it by a cell.
    assert 500 * 3 / 32 <= rows.min() <= 500 * 4.5 / 32
    assert 500 * 9.5 / 32 <= columns.max() <= 500 * 11 / 32


def test_hotter_is_lighter_and_stronger() -> None:
    dark = np.zeros((480, 480, 3), np.uint8)
    lightness = [
        float(heat_overlay(dark, np.full((8, 8), value, np.float32), PLAIN).mean())
        for value in (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
    ]
    assert lightness == sorted(set(lightness))


def test_values_beyond_the_scale_are_drawn_as_its_end() -> None:
    full = heat_overlay(GREY, np.full((8, 8), 1.0, np.float32), PLAIN)
    for value in (5.0, np.inf):
        assert np.array_equal(heat_overlay(GREY, np.full((8, 8), value, np.float32), PLAIN), full)
    assert np.array_equal(heat_overlay(GREY, np.full((8, 8), np.nan, np.float32), PLAIN), GREY)


@pytest.mark.parametrize(
    ("height", "width"), [(500, 500), (1000, 500), (100, 60), (16, 16), (3000, 4000), (1, 1), (16, 3000)]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_any_image_becomes_a_picture_of_a_size_to_look_at(height: int, width: int, channels: int) -> None:
    image = np.zeros((height, width) if channels == 1 else (height, width, 3), np.uint8)
    picture = heat_overlay(image, spot(), PLAIN)
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    longer = max(picture.shape[:2])
    assert longer == min(max(height, width, MIN_SIDE_PX), MAX_SIDE_PX)
    assert picture.shape[1] / picture.shape[0] == pytest.approx(width / height, rel=0.1)
    drawn = draw_overlay(image, spot(), PLAIN)
    assert drawn.shape[1] == picture.shape[1]
    assert drawn.shape[0] > picture.shape[0]


def test_what_was_looked_at_is_outlined_and_nothing_else_is_changed() -> None:
    outline = ((100, 50), (300, 50), (300, 250), (100, 250))
    plain, outlined = heat_overlay(GREY, None, PLAIN), heat_overlay(GREY, None, PLAIN, [outline])
    rows, columns = np.nonzero((plain != outlined).any(axis=2))
    scale = plain.shape[0] / GREY.shape[0]
    near = [
        np.abs(columns / scale - 100) < 4,
        np.abs(columns / scale - 300) < 4,
        np.abs(rows / scale - 50) < 4,
        np.abs(rows / scale - 250) < 4,
    ]
    assert len(rows) and np.any(near, axis=0).all()


def test_the_image_itself_is_not_drawn_on() -> None:
    image = GREY.copy()
    draw_overlay(image, spot(), inspected())
    assert np.array_equal(image, GREY)


@pytest.mark.parametrize("scale", [1, 4, 0.2])
def test_boxes_frame_their_regions_at_every_scale(scale: float) -> None:
    side = round(500 * scale)
    x, y, width, height = (round(value * scale) for value in (100, 200, 150, 100))
    region = Region(x, y, width, height, area=1, peak=0.5)
    black = np.zeros((side, side, 3), np.uint8)
    picture = heat_overlay(black, None, dataclasses.replace(PLAIN, regions=(region,)))
    factor = picture.shape[0] / 500
    white = np.all(picture == 255, axis=-1)
    # Below the label: the box's sides are white lines, its inside is untouched.
    row = white[round(250 * factor)]
    columns = np.nonzero(row)[0] / factor
    assert columns.min() == pytest.approx(100, abs=6)
    assert columns.max() == pytest.approx(250, abs=6)
    assert not picture[
        round(215 * factor) : round(285 * factor), round(110 * factor) : round(240 * factor)
    ].any()


def test_a_box_at_any_edge_keeps_its_label_in_the_picture() -> None:
    for x, y, width, height in ((0, 0, 500, 500), (490, 0, 10, 10), (0, 490, 10, 10), (499, 499, 1, 1)):
        region = Region(x, y, width, height, 1, 1.0)
        picture = heat_overlay(GREY, None, dataclasses.replace(PLAIN, regions=(region,)))
        assert (picture == 20).sum() > 30  # the label's dark letters


@pytest.mark.parametrize("verdict", list(Verdict))
def test_the_strip_begins_with_the_verdicts_colour(verdict: Verdict) -> None:
    strip = verdict_strip(inspected(verdict=verdict.value, error="no image"), 500)
    assert tuple(strip[0, 0]) == COLOURS[verdict]
    assert strip.shape[1] == 500
    assert (strip > 230).any()


@pytest.mark.parametrize("verdict", list(Verdict))
def test_white_on_the_verdicts_colour_can_be_read(verdict: Verdict) -> None:
    linear = [
        (value / 255 / 12.92) if value <= 10 else ((value / 255 + 0.055) / 1.055) ** 2.4
        for value in COLOURS[verdict]
    ]
    luminance = 0.0722 * linear[0] + 0.7152 * linear[1] + 0.2126 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 4.5  # WCAG 2, level AA


@pytest.mark.parametrize("strokes", [False, True])
class TestLettering:
    def test_text_stays_within_its_measured_width(self, strokes: bool) -> None:
        letters = Lettering(strokes)
        canvas = np.zeros((60, 600, 3), np.uint8)
        letters.draw(canvas, "Flasche grün · 0.93", (20, 40), 24, weight=BOLD)
        columns = np.nonzero(canvas.any(axis=(0, 2)))[0]
        width = letters.width("Flasche grün · 0.93", 24, BOLD)
        assert columns.min() >= 18
        assert columns.max() <= 20 + width + 4
        assert columns.max() >= 20 + 0.9 * width

    def test_what_does_not_fit_ends_in_an_ellipsis(self, strokes: bool) -> None:
        letters = Lettering(strokes)
        assert letters.fitted("short", 500, 20) == "short"
        shortened = letters.fitted("a very long name of a part", 120, 20)
        assert shortened.endswith("…")
        assert letters.width(shortened, 20) <= 120
        assert letters.fitted("anything", 0, 20) == ""

    @pytest.mark.parametrize("text", ["", "検査", "part-\udcff", "a\nb\x00c", "e\u0301", "🙂"])
    def test_any_name_can_be_drawn(self, strokes: bool, text: str) -> None:
        canvas = np.zeros((60, 600, 3), np.uint8)
        Lettering(strokes).draw(canvas, text, (5, 40), 20)
        assert canvas.any() == bool(text)

    @given(st.text())
    @settings(deadline=None)
    def test_any_text_can_be_measured_and_drawn(self, strokes: bool, text: str) -> None:
        letters = Lettering(strokes)
        letters.draw(np.zeros((60, 600, 3), np.uint8), letters.fitted(text, 500, 20), (5, 40), 20)
