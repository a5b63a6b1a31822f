"""The contact sheet shows every part, in order, in tiles of one size."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.records import SheetItem, contact_sheet, write_image
from edge.records.overlay import COLOURS
from tests.edge.records.parts import inspected, picture, read, spot

ITEMS = [
    SheetItem(inspected(1, "ng"), picture(300, 200), spot(), note="label: chip"),
    SheetItem(inspected(2, "ok", regions=()), picture()[..., 0], spot()),
    SheetItem(inspected(3, "error", regions=(), error="The file is cut short."), None),
]


def labels(sheet: np.ndarray) -> list[str]:
    """The verdicts of a sheet from left to right and from top to bottom, read from their colours."""
    found = []
    for verdict, colour in COLOURS.items():
        mask = np.all(sheet == colour, axis=-1).astype(np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        found += [(*stats[i, :2][::-1], verdict.value) for i in range(1, count) if stats[i, 4] > 500]
    return [verdict for _, _, verdict in sorted(found)]


@pytest.mark.parametrize(("columns", "rows"), [(1, 3), (2, 2), (3, 1), (9, 1)])
def test_every_part_has_its_tile_in_order(columns: int, rows: int) -> None:
    sheet = contact_sheet(ITEMS, columns=columns, side_px=160)
    assert labels(sheet) == ["ng", "ok", "error"]
    tile_px = 2 * 160 + 3 + 14
    assert sheet.shape[1] == min(columns, 3) * tile_px + 14
    assert sheet.shape[0] == contact_sheet(ITEMS[:1], side_px=160).shape[0] + (rows - 1) * (
        contact_sheet(ITEMS[:1], side_px=160).shape[0] - 14
    )


def test_a_heading_takes_room_above() -> None:
    bare = contact_sheet(ITEMS, side_px=160)
    headed = contact_sheet(ITEMS, side_px=160, title="Bottle", subtitle="3 parts")
    assert np.array_equal(headed[-bare.shape[0] :], bare)
    assert (headed[: -bare.shape[0]] > 230).any()


def test_it_becomes_a_png(tmp_path: Path) -> None:
    sheet = contact_sheet(ITEMS, side_px=160)
    write_image(tmp_path / "sheet.png", sheet)
    assert np.array_equal(read(tmp_path / "sheet.png"), sheet)
