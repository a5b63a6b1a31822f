"""The maps that the reader learns from: made as a station makes them, kept, and gone on with."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'anomalygpt-edge[train]'")

from edge.bundle import Bundle  # noqa: E402
from edge.facts import PLACES  # noqa: E402
from models.training.maps import ANOMALOUS_PARTS, GOOD_PARTS, SHOTS, Maps, _is_seen, judged_maps  # noqa: E402
from models.training.training_engine import TrainingEngine  # noqa: E402
from tests.models.judged import bright_maps, silent  # noqa: E402
from tests.models.small import Plate  # noqa: E402

PER_PRODUCT = GOOD_PARTS + ANOMALOUS_PARTS


def assert_same(one: Maps, other: Maps) -> None:
    for field in fields(Maps):
        first, second = getattr(one, field.name), getattr(other, field.name)
        assert first.dtype == second.dtype, field.name
        assert np.array_equal(first, second), field.name


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    maps = bright_maps(6)
    maps.save(tmp_path / "maps.npz")
    assert_same(Maps.load(tmp_path / "maps.npz"), maps)
    assert [path.name for path in tmp_path.iterdir()] == ["maps.npz"]


def test_the_chosen_rows_stay_together() -> None:
    maps = bright_maps(10)
    some = maps.of(maps.anomalous)
    assert len(some.scores) == 5 and some.anomalous.all()
    assert np.array_equal(some.maps, maps.maps[1::2]) and np.array_equal(some.place, maps.place[1::2])


@pytest.fixture(scope="module")
def engine(tiny_bundle: Bundle) -> TrainingEngine:
    return TrainingEngine(tiny_bundle, "fp32")


@pytest.fixture(scope="module")
def judged(engine: TrainingEngine, tmp_path_factory: pytest.TempPathFactory) -> Maps:
    save = tmp_path_factory.mktemp("maps") / "maps.npz"
    return judged_maps([Plate(0), Plate(1)], engine, 3, silent, save)


def test_each_product_gives_good_and_anomalous_parts_with_what_is_true_of_them(judged: Maps) -> None:
    assert judged.maps.shape == (2 * PER_PRODUCT, 48, 48)
    assert judged.product.tolist() == [0] * PER_PRODUCT + [1] * PER_PRODUCT
    assert set(judged.shots.tolist()) <= set(SHOTS)
    for product in (0, 1):
        assert not judged.anomalous[judged.product == product][:GOOD_PARTS].any()
        assert judged.anomalous[judged.product == product][GOOD_PARTS:].mean() > 0.8
    good, bad = ~judged.anomalous, judged.anomalous
    assert not judged.seen[good].any() and not judged.places[good].any()
    assert judged.places[bad].any(1).all()
    assert judged.places[bad, judged.place[bad]].mean() > 0.9, "the main anomaly lies in its place"
    assert set(judged.place.tolist()) <= set(range(len(PLACES)))
    assert len(set(judged.place[bad].tolist())) > 1
    np.testing.assert_allclose(np.linalg.norm(judged.images, axis=1), 1, rtol=1e-5)
    assert np.isfinite(judged.maps).all() and np.isfinite(judged.scores).all()


def test_anomalies_score_higher_than_good_parts(judged: Maps) -> None:
    for product in (0, 1):
        own = judged.of(judged.product == product)
        assert np.median(own.scores[own.seen]) > np.median(own.scores[~own.anomalous])


def test_a_run_that_was_stopped_goes_on_to_the_same_maps(
    engine: TrainingEngine, judged: Maps, tmp_path: Path
) -> None:
    save = tmp_path / "maps.npz"
    judged_maps([Plate(0)], engine, 3, silent, save)
    first, second = Plate(0), Plate(1)
    told: list[int] = []
    resumed = judged_maps([first, second], engine, 3, lambda _, done, __: told.append(done), save)
    assert first.asked == [] and told == [1], "the first product is not judged again"
    assert_same(resumed, judged)
    assert_same(Maps.load(save), judged)
    again = Plate(0)
    assert_same(judged_maps([again, again], engine, 3, silent, save), judged)
    assert again.asked == []


def spotted(level: float, row: int, column: int) -> np.ndarray:
    shown = np.full((48, 48), 0.1, np.float32)
    shown[row, column] = level
    return shown


@pytest.mark.parametrize(
    ("shown", "seen"),
    [
        (spotted(2.0, 10, 30), True),  # the peak lies on it
        (spotted(0.6, 10, 30), True),  # also where the verdict would miss it
        (spotted(0.3, 10, 30), False),  # lost in the noise
        (spotted(2.0, 14, 30), True),  # right beside it
        (spotted(2.0, 40, 30), False),  # something else stands out
    ],
)
def test_an_anomaly_is_seen_where_the_map_stands_out_on_it(shown: np.ndarray, seen: bool) -> None:
    mask = np.zeros((480, 480), np.uint8)
    mask[80:125, 280:325] = 255
    assert _is_seen(shown, mask) is seen
