"""A packed batch is its dialogues one by one: each position sees its own past and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'anomalygpt-edge[train]'")

from models.dialogue.packing import Batch, PackedDialogue, Tokens, Turn, pack  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

FIRST = Turn([11, 12], [13, 14, 15])
SHORT, LONG = (Turn([21], [22]),), (Turn([31, 32], [33, 34]), Turn([41, 42, 43], [44, 45]))

turns = st.builds(
    Turn,
    st.lists(st.integers(1, 999), min_size=1, max_size=4),
    st.lists(st.integers(1, 999), min_size=1, max_size=4),
)
dialogues = st.builds(
    PackedDialogue, turns, st.lists(st.tuples(turns) | st.tuples(turns, turns), max_size=3).map(tuple)
)


def test_rows_stand_first_and_the_first_question_and_answer_follow() -> None:
    batch = pack([PackedDialogue(FIRST, ())], rows=2)
    assert batch.tokens.tolist() == [[0, 0, 11, 12, 13, 14]]  # the end of an answer is said, not read
    assert batch.targets.tolist() == [[-1, -1, -1, 13, 14, 15]]
    assert batch.positions.tolist() == [list(range(6))]
    assert batch.verdict_at.tolist() == [3]
    assert torch.equal(batch.mask[0], torch.ones(6, 6, dtype=torch.bool).tril())


def test_branches_follow_the_trunk_and_do_not_see_each_other() -> None:
    batch = pack([PackedDialogue(FIRST, (SHORT, LONG))], rows=1)
    trunk = [0, 11, 12, 13, 14]
    assert batch.tokens.tolist() == [[*trunk, 21, 31, 32, 33, 41, 42, 43, 44]]
    assert batch.positions.tolist() == [[0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 11]]
    assert batch.targets.tolist() == [[-1, -1, 13, 14, 15, 22, -1, 33, 34, -1, -1, 44, 45]]
    assert seen(batch, 0, 5) == [*range(6)]  # the short branch: the trunk and itself
    assert seen(batch, 0, 12) == [*range(5), *range(6, 13)]  # the long one: all but the short one


def test_a_shorter_dialogue_is_padded_with_what_sees_itself_alone_and_asks_nothing() -> None:
    batch = pack([PackedDialogue(FIRST, (LONG,)), PackedDialogue(FIRST, ())], rows=1)
    length = 5
    for place in range(length, batch.tokens.shape[1]):
        assert seen(batch, 1, place) == [place]
        assert batch.targets[1, place] == -1
        assert not batch.mask[1, :place, place].any()


@settings(max_examples=40, deadline=None)
@given(st.lists(dialogues, min_size=1, max_size=3), st.integers(1, 3))
def test_every_branch_is_read_and_answered_as_if_it_were_alone(many: list[PackedDialogue], rows: int) -> None:
    batch = pack(many, rows)
    for number, dialogue in enumerate(many):
        answers = [dialogue.first.answer]
        for path in paths(batch, number):
            assert batch.positions[number, path].tolist() == list(range(len(path)))
        for branch in dialogue.branches:
            alone = _joined([dialogue.first, *branch])
            found = [
                p for p in paths(batch, number) if batch.tokens[number, p].tolist() == [0] * rows + alone
            ]
            assert found, "the branch is read"
            answers += [turn.answer for turn in branch]
        asked = batch.targets[number]
        assert asked[asked >= 0].tolist() == [token for answer in answers for token in answer]
        decided = int(batch.verdict_at[number])
        assert batch.targets[number, decided] == dialogue.first.answer[0]


def seen(batch: Batch, number: int, place: int) -> list[int]:
    return torch.nonzero(batch.mask[number, place]).flatten().tolist()


def paths(batch: Batch, number: int) -> list[list[int]]:
    """What each position that ends an answer sees, itself last."""
    places = torch.nonzero(batch.targets[number] >= 0).flatten().tolist()
    return [seen(batch, number, place) for place in places]


def _joined(turns: list[Turn]) -> Tokens:
    return [token for turn in turns for token in [*turn.question, *turn.answer[:-1]]]
