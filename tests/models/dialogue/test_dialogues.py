"""Dialogues about parts: true to the facts, in wordings that scoring does not share, scored word by word."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'anomalygpt-edge[train]'")

from edge.facts import PLACES, PartFacts  # noqa: E402
from edge.language.sentences import KINDS, QUESTIONS, exchange, first_answer  # noqa: E402
from edge.language.words import prompt_for  # noqa: E402
from models.dialogue.dialogues import END, PART_ROWS, DialogueBatch, Teacher  # noqa: E402
from models.dialogue.general_questions import OVERRIDE_ANSWER, OVERRIDES  # noqa: E402
from models.dialogue.packing import PackedDialogue, Tokens, Turn, pack  # noqa: E402
from models.heads.prompt_learner import TURN_ROWS, PromptLearner  # noqa: E402
from models.heads.reader import SLOTS  # noqa: E402
from tests.models.tiny_llama import WIDTH, tiny_teacher, tokenize  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

GOOD = PartFacts()
BAD = PartFacts("two", "left", frozenset({"left", "top"}), "small", "streak", "fairly sure")
IMAGE_WIDTH = 5
END_TOKENS = tokenize(END, True)


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    return tiny_teacher()


@pytest.fixture(scope="module")
def learner() -> PromptLearner:
    torch.manual_seed(0)
    return PromptLearner(WIDTH, IMAGE_WIDTH, 1.0)


def asked(question: str) -> Tokens:
    prompt = prompt_for()
    before, after = tokenize(prompt.turn_before, True), tokenize(prompt.turn_after, True)
    turn_rows = [-1 - row for row in range(TURN_ROWS)]
    return [*before, *tokenize(question, False), *turn_rows, *after]


def answered(text: str) -> Tokens:
    return [*tokenize(text, False), *END_TOKENS]


def some_turns(teacher: Teacher, facts: PartFacts, count: int = 300) -> list[Turn]:
    dialogues = teacher.dialogues([facts] * count, np.random.default_rng(0))
    return [turn for dialogue in dialogues for branch in dialogue.branches for turn in branch]


@pytest.mark.parametrize("facts", [GOOD, BAD], ids=["good", "bad"])
def test_a_dialogue_begins_with_the_verdict_and_has_branches_of_one_and_two_turns(
    teacher: Teacher, facts: PartFacts
) -> None:
    (dialogue,) = teacher.dialogues([facts], np.random.default_rng(0))
    assert dialogue.first == Turn(tokenize(prompt_for().after, True), answered(first_answer(facts)))
    assert [len(branch) for branch in dialogue.branches] == [1, 2]


@pytest.mark.parametrize("facts", [GOOD, BAD], ids=["good", "bad"])
def test_every_turn_is_true_of_the_part_general_or_an_attempt_that_fails(
    teacher: Teacher, facts: PartFacts
) -> None:
    true = {
        (tuple(asked(e.question)), tuple(answered(e.answer)))
        for kind in KINDS
        for wording in range(len(QUESTIONS[kind]) - 1)
        for place in PLACES
        for e in (exchange(kind, facts, wording, place),)
    }
    overrides = {(tuple(asked(text)), tuple(answered(OVERRIDE_ANSWER))) for text in OVERRIDES}
    general = {(tuple(asked("What is steel?")), (777, 778, 1))}
    found = {(tuple(turn.question), tuple(turn.answer)) for turn in some_turns(teacher, facts)}
    assert found <= true | overrides | general
    assert found & overrides and found & general and len(found & true) > 50


def test_the_wordings_that_scoring_asks_in_are_never_taught(teacher: Teacher) -> None:
    kept = {tuple(asked(QUESTIONS[kind][-1].format(place=place))) for kind in KINDS for place in PLACES}
    taught = {tuple(turn.question) for turn in some_turns(teacher, BAD)}
    assert not taught & kept
    scored = teacher.scored_dialogue(BAD, np.random.default_rng(0))
    assert len(scored.branches) == len(KINDS)
    assert {tuple(turn.question) for (turn,) in scored.branches} <= kept


def test_half_of_the_questions_about_a_place_ask_for_one_that_holds_an_anomaly(teacher: Teacher) -> None:
    wordings = QUESTIONS["at_place"][:-1]
    held, other = (
        {tuple(asked(w.format(place=place))) for w in wordings for place in places}
        for places in (BAD.places, set(PLACES) - BAD.places)
    )
    taught = [tuple(turn.question) for turn in some_turns(teacher, BAD, 600)]
    counts = sum(t in held for t in taught), sum(t in other for t in taught)
    assert min(counts) > 20 and 0.7 < counts[0] / counts[1] < 3


def test_the_fixed_beginning_is_read_once_per_description(teacher: Teacher) -> None:
    first = teacher.prefix("a cap")
    assert teacher.prefix("a cap") is first
    assert teacher.prefix("a longer description of a cap") is not first


def greedy(teacher: Teacher, learner: PromptLearner, turns: list[Turn], count: int) -> Tokens:
    """What the model says by itself after these turns, of which the last has no answer yet."""
    *before, last = turns
    said: Tokens = []
    while len(said) < count:
        known = [*before, Turn(last.question, [*said, 0])]
        first, *branch = known
        dialogue = PackedDialogue(first, (tuple(branch),) if branch else ())
        batch = pack([dialogue], PART_ROWS)
        base = teacher.llm.extended(teacher.prefix("a cap"), learner.base_rows())
        rows = learner.part_rows(torch.ones(1, SLOTS), torch.ones(1, IMAGE_WIDTH))
        words, turn = batch.tokens, learner.turn_rows(torch.ones(1, SLOTS))[0]
        embedded = [teacher.llm.embed(t) if t >= 0 else turn[-1 - t] for t in words[0, PART_ROWS:]]
        embeddings = torch.cat([rows[0], torch.stack(embedded)])[None]
        hidden = teacher.llm(embeddings, batch.positions + len(base), batch.mask, base)
        said.append(int(teacher.llm.logits(hidden[0, -1]).argmax()))
    return said


@torch.no_grad()
def test_nothing_follows_an_answer_of_the_models_own_that_was_cut(teacher: Teacher) -> None:
    cut = Teacher(teacher.llm, tokenize, [("What is steel?", [7, 8, 9])])
    branches = [
        branch
        for seed in range(40)
        for dialogue in cut.dialogues([BAD], np.random.default_rng(seed))
        for branch in dialogue.branches
    ]
    assert any(branch[-1].answer == [7, 8, 9] for branch in branches)
    assert all(turn.answer != [7, 8, 9] for branch in branches for turn in branch[:-1])


def test_an_answer_is_right_where_it_is_what_the_model_says_to_the_last_word(
    teacher: Teacher, learner: PromptLearner
) -> None:
    opening = tokenize(prompt_for().after, True)
    first = Turn(opening, greedy(teacher, learner, [Turn(opening, [])], 3))
    question = asked("Where is it?")
    follow = Turn(question, greedy(teacher, learner, [first, Turn(question, [])], 2))
    wrong = Turn(question, [follow.answer[0], (follow.answer[1] + 1) % 1500])
    dialogues = [
        PackedDialogue(first, ((follow,), (wrong,))),
        PackedDialogue(
            Turn(opening, [*first.answer[:2], (first.answer[2] + 1) % 1500]), ((wrong,), (follow,))
        ),
    ]
    lesson = DialogueBatch("a cap", dialogues, torch.ones(2, SLOTS), torch.ones(2, IMAGE_WIDTH))
    right, difference = teacher.score(learner, lesson)
    assert right[0].tolist() == [True, True, False]
    assert right[1, 0].item() is False and right[1, 1].item() is False
    assert difference[0].item() == pytest.approx(difference[1].item(), abs=1e-4), "the same part"


def test_the_lesson_reaches_rows_and_slots_and_leaves_the_language_model_alone(
    teacher: Teacher, learner: PromptLearner
) -> None:
    slots = torch.rand(2, SLOTS, requires_grad=True)
    images = torch.rand(2, IMAGE_WIDTH)
    dialogues = teacher.dialogues([GOOD, BAD], np.random.default_rng(1))
    losses = teacher.learn(
        learner, DialogueBatch("a cap", dialogues, slots, images), torch.tensor([-2.0, 2.0])
    )
    losses.total.backward()
    for name, parameter in learner.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name
    assert slots.grad is not None and slots.grad.abs().min(dim=0).values.max() > 0
    assert all(weight.grad is None for weight in teacher.llm.parameters())
    assert losses.total > losses.words > 0


def test_the_verdicts_logits_are_held_to_the_evidence(teacher: Teacher, learner: PromptLearner) -> None:
    slots, images = torch.rand(2, SLOTS), torch.rand(2, IMAGE_WIDTH)
    dialogues = teacher.dialogues([GOOD, BAD], np.random.default_rng(1))
    lesson = DialogueBatch("a cap", dialogues, slots, images)
    _, difference = teacher.score(learner, lesson)
    for miss, loss in ((0.0, 0.0), (0.5, 0.125), (3.0, 2.5)):  # smooth L1
        losses = teacher.learn(learner, lesson, difference + miss)
        assert losses.evidence.item() == pytest.approx(loss, abs=1e-3)
