"""The reader learns from maps that are turned and mirrored; what is said of them stays true."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'anomalygpt-edge[train]'")

from models.heads.reader import Reader, Readings, slots  # noqa: E402
from models.training.reader_training import _varied, reader_figures, reader_loss, train_reader  # noqa: E402
from tests.models.judged import bright_maps, silent  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


def brightest(maps: np.ndarray) -> np.ndarray:
    """(n,), the place with the highest peak of each map."""
    return np.asarray(maps.reshape(-1, 3, 16, 3, 16).max(axis=(2, 4)).reshape(-1, 9).argmax(1))


def test_turning_and_mirroring_takes_the_places_along() -> None:
    truth = bright_maps(40)
    bad = truth.anomalous
    assert np.array_equal(brightest(truth.maps)[bad], truth.place[bad])
    layouts = set()
    for seed in range(40):
        varied = _varied(truth, np.random.default_rng(seed))
        assert np.array_equal(brightest(varied.maps)[bad], varied.place[bad])
        assert np.array_equal(varied.places[bad].argmax(1), varied.place[bad])
        assert varied.places.sum() == truth.places.sum()
        layouts.add(tuple(varied.place[bad]))
    assert len(layouts) == 8, "four turns, each as it is and mirrored"


def test_a_map_and_its_score_grow_louder_together_and_the_rest_is_as_it_was() -> None:
    truth = bright_maps(20)
    varied = _varied(truth, np.random.default_rng(3))
    gain = varied.scores / truth.scores
    np.testing.assert_allclose(varied.maps.max((1, 2)) / truth.maps.max((1, 2)), gain, rtol=1e-5)
    assert 0.5 < gain.min() < 1 < gain.max() < 2
    for name in ("images", "anomalous", "seen", "count", "size", "shape", "product", "shots"):
        assert np.array_equal(getattr(varied, name), getattr(truth, name)), name


def readings_saying(evidence: list[float], place: list[int]) -> Readings:
    n, hot = len(evidence), 20.0
    at = torch.eye(9)[place]
    return Readings(
        evidence=torch.tensor(evidence),
        count=hot * torch.eye(3)[[0] * n],
        place=hot * at,
        places=hot * (2 * at - 1),
        size=hot * torch.eye(3)[[0] * n],
        shape=hot * torch.eye(2)[[0] * n],
    )


def test_what_cannot_be_seen_on_the_map_is_no_lesson() -> None:
    """Two parts, the second anomalous: with its anomaly unseen nothing counts."""
    truth = bright_maps(2)
    truth.size[:] = 0
    right, wrong = int(truth.place[1]), int(truth.place[1] + 1) % 9
    good, lost = ([-20.0, 20.0], [right] * 2), ([-20.0, 20.0], [wrong] * 2)
    assert reader_loss(readings_saying(*good), truth).item() < 1e-3
    assert reader_loss(readings_saying(*lost), truth).item() > 5
    truth.seen[:] = False
    assert reader_loss(readings_saying(*lost), truth).item() == 0


def test_training_lowers_the_loss_and_what_was_learned_is_read_on_maps_never_seen() -> None:
    torch.manual_seed(0)
    maps, held_out = (bright_maps(80, seed) for seed in (0, 1))
    reader = Reader()
    untrained = reader_figures(reader, held_out)
    losses = train_reader(reader, [maps], 200, seed=0, progress=silent)
    assert np.mean(losses[-5:]) < 0.1 * np.mean(losses[:5])
    trained = reader_figures(reader, held_out)
    # The place of the highest peak is read untrained; how many and how large they are must be learned.
    assert (untrained.place, trained.place) == (1.0, 1.0)
    assert (untrained.count, trained.count) == (0.0, 1.0)
    assert untrained.size is not None and trained.size is not None
    assert untrained.size < 0.6 and trained.size > 0.9


def test_the_balanced_accuracy_is_of_what_the_scores_say() -> None:
    maps = bright_maps(20)
    bad, good = np.flatnonzero(maps.anomalous), np.flatnonzero(~maps.anomalous)
    assert reader_figures(Reader(), maps).balanced == 1.0
    maps.scores[bad[:5]] = 0.4  # five of ten anomalous parts are missed,
    maps.scores[good[:1]] = 2.5  # one of ten good ones is accused
    assert reader_figures(Reader(), maps).balanced == pytest.approx((0.5 + 0.9) / 2)


def test_figures_of_nothing_that_stands_out_are_none() -> None:
    torch.manual_seed(0)
    maps = bright_maps(6)
    maps.seen[:] = False
    figures = reader_figures(Reader(), maps)
    assert figures.balanced == 1.0  # which needs the scores alone
    assert (figures.count, figures.place, figures.places, figures.size, figures.shape) == (None,) * 5


def test_the_same_seed_learns_the_same() -> None:
    readers = []
    for _ in range(2):
        torch.manual_seed(0)
        reader = Reader()
        train_reader(reader, [bright_maps(30)], 3, seed=4, progress=silent)
        readers.append(reader)
    maps = torch.from_numpy(bright_maps(4).maps)
    first, again = (slots(reader(maps, torch.ones(4))) for reader in readers)
    assert torch.equal(first, again)
