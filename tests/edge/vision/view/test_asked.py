"""What was not asked for stays as the product has it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import ProductError
from edge.vision.view import WHOLE_FRAME, AskedView, View

SHAPE = (120, 160)
KEPT = View(SHAPE, roi=(0, 0, 100, 100), ignore=(((1, 1), (9, 1), (9, 9), (1, 9)),))


def test_nothing_asked_for_is_the_view_that_there_is() -> None:
    assert AskedView().over(KEPT, (999, 999)) is KEPT
    assert AskedView().over(WHOLE_FRAME, SHAPE) is WHOLE_FRAME


def test_each_is_changed_alone_and_taken_back_by_none() -> None:
    assert AskedView(roi="10,10,90,90").over(KEPT, SHAPE) == View(SHAPE, (10, 10, 90, 90), KEPT.ignore)
    assert AskedView(roi="none").over(KEPT, SHAPE) == View(SHAPE, None, KEPT.ignore)
    assert AskedView(ignore=["none"]).over(KEPT, SHAPE) == View(SHAPE, KEPT.roi)
    assert AskedView(roi="none", ignore=["none"]).over(KEPT, SHAPE).is_whole
    two = AskedView(ignore=["0,0,5,5", "20,20 30,20 25,40"]).over(WHOLE_FRAME, SHAPE)
    assert [len(polygon) for polygon in two.ignore] == [4, 3]


def test_a_mask_joins_what_is_written(tmp_path: Path) -> None:
    mask = np.full(SHAPE, 255, np.uint8)
    mask[40:60, 40:60] = 0
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    view = AskedView(ignore=["0,0,5,5"], mask=tmp_path / "mask.png").over(WHOLE_FRAME, SHAPE)
    assert int(view.ignored(SHAPE).sum()) == 20 * 20 + 5 * 5
    with pytest.raises(ProductError, match="has 160x120 px, the references have 64x64"):
        AskedView(mask=tmp_path / "mask.png").over(WHOLE_FRAME, (64, 64))
    (tmp_path / "mask.png").write_text("no image")
    with pytest.raises(ProductError, match="is not an image"):
        AskedView(mask=tmp_path / "mask.png").over(WHOLE_FRAME, SHAPE)


def test_half_a_view_of_images_of_another_size_is_refused() -> None:
    with pytest.raises(ProductError, match="160x120"):
        AskedView(roi="0,0,50,50").over(KEPT, (480, 640))
    assert AskedView(roi="0,0,50,50", ignore=["none"]).over(KEPT, (480, 640)).roi == (0, 0, 50, 50)
