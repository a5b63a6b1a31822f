"""Of the ways to look, the simplest that makes the references coincide is chosen."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle import Bundle
from edge.image_types import Image
from edge.vision.enrollment import choose_view
from edge.vision.enrollment.choosing import misplaced
from edge.vision.openvino import OpenVinoEngine
from edge.vision.view import WHOLE_FRAME, View

SIDE = 320


@pytest.fixture(scope="module")
def engine(default_bundle: Bundle) -> Iterator[OpenVinoEngine]:
    """The real encoder: to a random one, all patches at one place look alike."""
    engine = OpenVinoEngine(default_bundle, "fp32")
    yield engine
    engine.close()


def part(x: float = 160, y: float = 160, angle_deg: float = 0.0, length: int = 68) -> Image:
    """A plate with a printed corner and two holes, on a grey sheet; its middle at (x, y)."""
    flat = np.full((SIDE, SIDE, 3), 90, np.uint8)
    cv2.rectangle(flat, (160 - length, 120), (160 + length, 200), (210, 215, 220), -1)
    cv2.rectangle(flat, (160 - length, 120), (180 - length, 150), (40, 60, 200), -1)
    for across in (-20, 25):
        cv2.circle(flat, (160 + across, 170), 9, (30, 30, 30), -1)
    turn = cv2.getRotationMatrix2D((160, 160), -angle_deg, 1.0)
    turn[:, 2] += (x - 160, y - 160)
    return np.asarray(cv2.warpAffine(flat, turn, (SIDE, SIDE), borderValue=(90, 90, 90)), np.uint8)


PLACES = ((110, 130), (200, 190), (170, 110), (130, 210))


def cloth(seed: int) -> Image:
    return np.random.default_rng(seed).integers(60, 200, (SIDE, SIDE, 3), np.uint8)


@pytest.mark.parametrize(
    ("images", "locate", "why"),
    [
        ([part() for _ in PLACES], "none", "coincide"),
        ([part(x, y) for x, y in PLACES], "crop", "coincide"),
        ([part(x, y, angle) for (x, y), angle in zip(PLACES, (0, 90, 200, 310), strict=True)], "align", ""),
        ([part(length=130)], "align", "a long part"),
        ([part()], "none", "one reference does not show"),
        ([cloth(0), cloth(1)], "none", "no part stands out"),
    ],
    ids=["fixed", "anywhere", "turned", "long", "alone", "cloth"],
)
def test_the_simplest_view_that_brings_the_references_together_is_chosen(
    engine: OpenVinoEngine, images: list[Image], locate: str, why: str
) -> None:
    chosen = choose_view(engine, images, WHOLE_FRAME)
    assert chosen.view.locate == locate, chosen.why
    assert why in chosen.why


def test_what_was_asked_for_besides_stays(engine: OpenVinoEngine) -> None:
    asked = View((SIDE, SIDE), roi=(10, 10, 300, 300), detail_px=12.0)
    chosen = choose_view(engine, [part(x, y) for x, y in PLACES], asked).view
    assert (chosen.roi, chosen.detail_px, chosen.locate) == (asked.roi, asked.detail_px, "crop")


@given(seed=st.integers(0, 1000), moved=st.integers(2, 6))
def test_features_that_lie_elsewhere_are_misplaced(seed: int, moved: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(8, 8, 24))
    own, another = of_length_one(rows), of_length_one(rows + rng.normal(0, 0.02, rows.shape))
    assert misplaced([own, another], (8, 8)) == pytest.approx(0, abs=1e-3)
    elsewhere = np.roll(another.reshape(rows.shape), moved, axis=1).reshape(own.shape)
    assert misplaced([own, elsewhere], (8, 8)) > 1


def of_length_one(rows: np.ndarray) -> np.ndarray:
    flat = rows.reshape(-1, rows.shape[-1]).astype(np.float32)
    return np.asarray(flat / np.linalg.norm(flat, axis=1, keepdims=True))
