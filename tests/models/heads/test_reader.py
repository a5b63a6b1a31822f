"""What is read off a map has a meaning for each number, and stays finite on any map."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'anomalygpt-edge[train]'")

from edge.facts import PLACES, SURENESS, sureness_of  # noqa: E402
from models.heads.constants import CLEAREST, MAP_SIDE  # noqa: E402
from models.heads.prompt_learner import PromptLearner  # noqa: E402
from models.heads.reader import (  # noqa: E402
    SLOTS,
    Reader,
    Readings,
    extent,
    plain_evidence,
    slots,
)

if TYPE_CHECKING:
    from torch import Tensor

pytestmark = pytest.mark.usefixtures("one_thread")


def spotted(place: int, level: float = 2.0) -> Tensor:
    """(1, 48, 48): one bright spot in the middle of a place."""
    shown = torch.full((1, MAP_SIDE, MAP_SIDE), 0.1)
    row, column = 16 * (place // 3) + 8, 16 * (place % 3) + 8
    shown[0, row - 1 : row + 2, column - 1 : column + 2] = level
    return shown


@pytest.fixture(scope="module")
def reader() -> Reader:
    torch.manual_seed(0)
    return Reader()


@pytest.mark.parametrize("place", range(len(PLACES)), ids=PLACES)
def test_even_untrained_it_reads_the_place_of_the_highest_peak(reader: Reader, place: int) -> None:
    readings = reader(spotted(place), torch.tensor([2.0]))
    assert readings.place.argmax().item() == place


@pytest.mark.parametrize(
    ("score", "evidence"),
    [
        (1.0, 0.0),  # on the boundary
        (0.0, 3 * math.log(0.1 / 1.1)),  # the surest that a score can be of a good part
        (-5.0, 3 * math.log(0.1 / 1.1)),  # below what good parts show there is nothing
        (2.1, 3 * math.log(2.0)),  # twice as far counts as a factor
    ],
)
def test_the_scores_own_evidence(score: float, evidence: float) -> None:
    assert plain_evidence(torch.tensor([score])).item() == pytest.approx(evidence, abs=1e-5)


def rectangle(rows: slice, columns: slice) -> Tensor:
    shown = torch.zeros(1, MAP_SIDE, MAP_SIDE)
    shown[:, rows, columns] = 1
    return shown


EXTENTS = [
    # what stands out, its share of the map, the limits of how many times as long as wide it reads
    (rectangle(slice(10, 20), slice(10, 20)), 100 / 2304, (1, 1.1)),
    (rectangle(slice(10, 14), slice(4, 44)), 160 / 2304, (6, 10)),
    (rectangle(slice(4, 44), slice(30, 34)), 160 / 2304, (6, 10)),  # which way it lies says nothing
    (rectangle(slice(0, 48), slice(0, 48)), 1, (1, 1.1)),  # all of the map
]


@pytest.mark.parametrize(("relative", "share", "longer"), EXTENTS)
def test_how_much_of_a_map_stands_out_and_how_long_that_is(
    relative: Tensor, share: float, longer: tuple[float, float]
) -> None:
    """By second moments, to which what hardly stands out adds: a streak reads a little shorter."""
    found = extent(relative)[0]
    assert found[0].exp().item() == pytest.approx(share, rel=0.03)
    assert longer[0] <= (found[1] / 2).exp().item() <= longer[1]


def test_the_evidence_is_that_of_the_score_whatever_the_map_looks_like(reader: Reader) -> None:
    scores = torch.tensor([0.3, 1.0, 4.0])
    maps = torch.cat([spotted(place) for place in (0, 4, 8)])
    torch.testing.assert_close(reader(maps, scores).evidence, plain_evidence(scores))


@pytest.mark.parametrize("level", [-1e6, -1.0, 0.0, 1e-9, 1.0, 1e6])
def test_any_map_gives_finite_slots_between_minus_one_and_one(reader: Reader, level: float) -> None:
    for shown in (torch.full((1, MAP_SIDE, MAP_SIDE), level), spotted(3, level)):
        found = slots(reader(shown, torch.tensor([level])))
        assert found.shape == (1, SLOTS) == (1, 33)
        assert torch.isfinite(found).all() and found.abs().max() <= 1


def readings_of(evidence: float, seed: int = 0) -> Readings:
    draw = torch.Generator().manual_seed(seed)
    count, place, places, size, shape = (4 * torch.randn(1, n, generator=draw) for n in (3, 9, 9, 3, 2))
    return Readings(torch.tensor([evidence]), count, place, places, size, shape)


def test_every_good_part_reads_alike_whatever_its_map_looks_like() -> None:
    one, other = (slots(readings_of(-2.0, seed)) for seed in (1, 2))
    assert (one - other).abs().max() < 1e-4
    anomalous, another = (slots(readings_of(2.0, seed)) for seed in (1, 2))
    assert (anomalous - another).abs().max() > 0.5


def test_the_groups_of_slots_stand_where_the_words_are_put() -> None:
    """Verdict 4, sureness 3, count 3, place 9, places 9, size 3, shape 2."""
    hot = 20.0
    readings = Readings(
        evidence=torch.tensor([CLEAREST]),
        count=hot * torch.eye(3)[1:2],
        place=hot * torch.eye(9)[4:5],
        places=hot * (2 * torch.eye(9)[6:7] - 1),
        size=hot * torch.eye(3)[2:3],
        shape=hot * torch.eye(2)[1:2],
    )
    on = torch.nonzero(slots(readings)[0] > 0.9).flatten().tolist()
    verdict, very_sure = [0, 2, 3], 4 + 2
    assert on == [*verdict, very_sure, 7 + 1, 10 + 4, 19 + 6, 28 + 2, 31 + 1]


@pytest.mark.parametrize(
    ("evidence", "word"),
    [(0.0, 0), (0.99, 0), (-0.99, 0), (1.0, 1), (-1.0, 1), (2.49, 1), (2.5, 2), (-2.5, 2), (8.0, 2)],
)
def test_sureness_is_the_distance_to_the_boundary_on_either_side(evidence: float, word: int) -> None:
    assert sureness_of(evidence) == SURENESS[word]
    sure = slots(readings_of(evidence))[0, 4:7]
    assert sure.sum().item() == pytest.approx(1, abs=1e-5)


def test_reader_and_prompt_learner_have_at_most_a_million_parameters() -> None:
    both = [*Reader().parameters(), *PromptLearner(width=576, image_width=384, scale=0.1).parameters()]
    assert sum(parameter.numel() for parameter in both) <= 1_000_000
