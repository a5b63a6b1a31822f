"""Embedding rows: from slots and the image's embedding, starting from the model's own words."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'anomalygpt-edge[train]'")

from edge.facts import COUNTS, PLACES, SHAPES, SIZES  # noqa: E402
from models.dialogue.word_rows import start_from_words  # noqa: E402
from models.heads.prompt_learner import BASE_ROWS, PROMPT_ROWS, TURN_ROWS, PromptLearner  # noqa: E402
from models.heads.reader import SLOTS  # noqa: E402

if TYPE_CHECKING:
    from torch import Tensor

pytestmark = pytest.mark.usefixtures("one_thread")

WIDTH, IMAGE_WIDTH, SCALE = 64, 8, 0.15


@pytest.fixture
def learner() -> PromptLearner:
    torch.manual_seed(0)
    return PromptLearner(WIDTH, IMAGE_WIDTH, SCALE)


def embed(text: str) -> Tensor:
    """An embedding of its own for every text, on the scale of a token's."""
    draw = torch.Generator().manual_seed(zlib.crc32(text.encode()))
    return SCALE * torch.randn(WIDTH, generator=draw)


def test_a_part_has_the_images_row_and_nine_prompt_rows(learner: PromptLearner) -> None:
    rows = learner.part_rows(torch.zeros(3, SLOTS), torch.zeros(3, IMAGE_WIDTH))
    assert rows.shape == (3, 1 + PROMPT_ROWS, WIDTH)
    assert learner.base_rows().shape == (BASE_ROWS, WIDTH)
    assert learner.turn_rows(torch.zeros(3, SLOTS)).shape == (3, TURN_ROWS, WIDTH)


def test_the_first_row_is_the_images_and_the_others_are_the_slots(learner: PromptLearner) -> None:
    slots, image = torch.rand(1, SLOTS), torch.rand(1, IMAGE_WIDTH)
    rows = learner.part_rows(slots, image)[0]
    other_image = learner.part_rows(slots, 1 - image)[0]
    other_slots = learner.part_rows(1 - slots, image)[0]
    assert torch.equal(rows[1:], other_image[1:]) and not torch.allclose(rows[0], other_image[0])
    assert torch.equal(rows[0], other_slots[0]) and not torch.allclose(rows[1:], other_slots[1:])


def test_rows_are_learned_in_units_of_the_tokens(learner: PromptLearner) -> None:
    rms = learner.base_rows().square().mean().sqrt().item()
    assert rms == pytest.approx(SCALE, rel=0.2)
    assert "scale" not in dict(learner.named_parameters())
    assert float(learner.state_dict()["scale"]) == pytest.approx(SCALE)


WORDS = [
    # slot, row, the word that this row then is
    (0, 0, "Yes anomaly"),
    (1, 0, "No anomaly"),
    *((7 + i, 1, word) for i, word in enumerate(COUNTS)),
    *((10 + i, 6, place) for i, place in enumerate(PLACES)),
    (10 + PLACES.index("left"), 4, "middle"),
    (10 + PLACES.index("left"), 5, "left"),
    (10 + PLACES.index("bottom right"), 4, "bottom"),
    (10 + PLACES.index("top"), 5, "center"),
    *((19 + i, 7, place) for i, place in enumerate(PLACES)),
    *((28 + i, 2, word.split("-")[0]) for i, word in enumerate(SIZES)),
    *((31 + i, 3, word) for i, word in enumerate(SHAPES)),
    (4, 8, "doubt"),
    (6, 8, "very sure"),
]


@pytest.mark.parametrize(("slot", "row", "word"), WORDS)
def test_a_row_begins_as_the_word_for_what_its_slot_means(
    learner: PromptLearner, slot: int, row: int, word: str
) -> None:
    start_from_words(learner, embed)
    with torch.no_grad():
        nothing = learner.part_rows(torch.zeros(1, SLOTS), torch.zeros(1, IMAGE_WIDTH))
        said = learner.part_rows(torch.eye(SLOTS)[slot : slot + 1], torch.zeros(1, IMAGE_WIDTH)) - nothing
    assert torch.cosine_similarity(said[0, 1 + row], embed(f" {word}"), dim=0) > 0.98


def test_the_sheet_of_a_further_question_begins_as_words_for_the_facts(learner: PromptLearner) -> None:
    start_from_words(learner, embed)
    here, bad = 19 + PLACES.index("top left"), 0
    with torch.no_grad():
        nothing = learner.turn_rows(torch.zeros(1, SLOTS))[0]
        says = learner.turn_rows(torch.eye(SLOTS))[:, :] - nothing
    sheet = len(nothing) - 2 * len(PLACES)

    def alike(row: Tensor, *words: str) -> float:
        return float(torch.cosine_similarity(row, sum(embed(f" {word}") for word in words), dim=0))

    assert alike(says[bad, 0], "yes") > 0.98 and alike(says[1, 0], "no") > 0.98
    assert alike(says[8, 1], "two") > 0.98
    assert alike(says[10 + PLACES.index("bottom"), 3], "lower") > 0.98
    # Each place is followed by whether it is damaged: what says "no" until its slot turns it to "yes".
    assert alike(nothing[sheet], "top left") > 0.98 and alike(nothing[sheet + 1], "no") > 0.98
    assert alike(nothing[sheet + 1] + says[here, sheet + 1], "yes") > 0.98


def test_base_rows_begin_as_words_too(learner: PromptLearner) -> None:
    start_from_words(learner, embed)
    torch.testing.assert_close(learner.base_rows()[0], embed(" the"))
    assert torch.isfinite(learner.base_rows()).all()
    assert all(parameter.requires_grad for parameter in learner.parameters())
