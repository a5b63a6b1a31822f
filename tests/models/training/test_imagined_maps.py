"""Imagined maps show what their facts say, and every fact that there is."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'anomalygpt-edge[train]'")

from edge.facts import COUNTS, PLACES, SHAPES, SIZES  # noqa: E402
from models.heads.reader import Reader  # noqa: E402
from models.training.imagined_maps import imagined_maps  # noqa: E402
from models.training.maps import Maps  # noqa: E402
from models.training.reader_training import reader_figures, train_reader  # noqa: E402
from tests.models.judged import WIDTH, bright_maps, silent  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

JUDGED = bright_maps(20)


def imagined(count: int, seed: int = 0) -> Maps:
    return imagined_maps(count, JUDGED, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def maps() -> Maps:
    return imagined(400)


def test_every_map_is_anomalous_and_every_fact_occurs(maps: Maps) -> None:
    assert maps.maps.shape == (400, 48, 48) and np.isfinite(maps.maps).all()
    assert maps.images.shape == (400, WIDTH)
    assert maps.anomalous.all() and maps.seen.all()
    for column, words in (
        (maps.count, COUNTS),
        (maps.size, SIZES),
        (maps.shape, SHAPES),
        (maps.place, PLACES),
    ):
        shares = np.bincount(column, minlength=len(words)) / len(column)
        assert shares.min() > 0.03, words
    assert maps.places[np.arange(400), maps.place].all()


def test_the_brightest_place_holds_an_anomaly(maps: Maps) -> None:
    brightest = maps.maps.reshape(-1, 3, 16, 3, 16).max(axis=(2, 4)).reshape(-1, 9).argmax(1)
    assert maps.places[np.arange(400), brightest].mean() > 0.85


def test_a_seed_gives_the_same_maps_again() -> None:
    for first, second in ((imagined(5), imagined(5)),):
        assert np.array_equal(first.maps, second.maps)
    assert not np.array_equal(imagined(5).maps, imagined(5, seed=1).maps)


def test_a_reader_learns_from_them_beside_judged_maps(maps: Maps) -> None:
    torch.manual_seed(0)
    reader = Reader()
    before = reader_figures(reader, maps)
    losses = train_reader(reader, [JUDGED, maps], 60, seed=0, progress=silent)
    after = reader_figures(reader, maps)
    assert before.balanced is None, "none of these maps is of a good part"
    assert np.mean(losses[-10:]) < np.mean(losses[:10])
    assert before.count is not None and after.count is not None and after.count > before.count
