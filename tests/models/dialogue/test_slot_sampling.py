"""Imagined parts: what the slots say and what the answers will say are the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'anomalygpt-edge[train]'")

from edge.facts import COUNTS, PLACES, SHAPES, SIZES, SURENESS, sureness_of  # noqa: E402
from edge.language.sentences import KINDS, QUESTIONS, exchange, first_answer  # noqa: E402
from models.dialogue.slot_sampling import facts_read, imagined_parts, joined  # noqa: E402
from models.heads.constants import CLEAREST  # noqa: E402
from models.heads.reader import slots  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 12))
def test_the_facts_that_are_read_of_a_batch_are_those_of_its_parts(seed: int, count: int) -> None:
    parts = imagined_parts(count, np.random.default_rng(seed))
    readings = joined([part.readings for part in parts])
    assert facts_read(readings) == [part.facts for part in parts]
    assert [part.facts.anomalous for part in parts] == [bool(n % 2) for n in range(count)]


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_facts_follow_from_the_slots_that_the_language_model_sees(seed: int) -> None:
    """What is largest in each group of an anomalous part's slots is what is said of it."""
    for part in imagined_parts(4, np.random.default_rng(seed)):
        facts, read = part.facts, slots(part.readings)[0]
        assert (read[0] > read[1]) == facts.anomalous == (part.evidence > 0)
        assert facts.sureness == sureness_of(part.evidence)
        if not facts.anomalous:
            continue
        assert facts.count == COUNTS[int(read[7:10].argmax())]
        assert facts.place == PLACES[int(read[10:19].argmax())]
        assert facts.size == SIZES[int(read[28:31].argmax())]
        assert facts.shape == SHAPES[int(read[31:33].argmax())]
        held = {PLACES[i] for i in range(9) if read[19 + i] > 0.5 * read[0]}
        assert facts.places == held and facts.place in held


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_no_part_lies_so_near_to_the_boundary_that_both_answers_are_right(seed: int) -> None:
    for part in imagined_parts(10, np.random.default_rng(seed)):
        assert 0.1 < abs(part.evidence) <= CLEAREST
        assert part.readings.evidence.item() == pytest.approx(part.evidence)


def test_doubtful_and_clear_parts_and_every_fact_are_imagined() -> None:
    facts = [part.facts for part in imagined_parts(400, np.random.default_rng(0))]
    assert {f.sureness for f in facts} == set(SURENESS)
    bad = [f for f in facts if f.anomalous]
    assert {f.count for f in bad} == set(COUNTS) and {f.place for f in bad} == set(PLACES)
    assert {f.size for f in bad} == set(SIZES) and {f.shape for f in bad} == set(SHAPES)
    assert {len(f.places) for f in bad} >= {1, 2}


def test_the_same_seed_imagines_the_same() -> None:
    one, two = (imagined_parts(6, np.random.default_rng(5)) for _ in range(2))
    for first, second in zip(one, two, strict=True):
        assert first.facts == second.facts
        assert torch.equal(slots(first.readings), slots(second.readings))


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_can_be_asked_has_an_answer(kind: str) -> None:
    for part in imagined_parts(20, np.random.default_rng(1)):
        assert first_answer(part.facts).startswith("Yes" if part.facts.anomalous else "No")
        for wording in range(len(QUESTIONS[kind])):
            asked = exchange(kind, part.facts, wording, PLACES[wording])
            assert "{" not in asked.question and asked.answer.endswith(".")


def test_readings_on_the_boundary_itself_are_no_good_part() -> None:
    (part,) = imagined_parts(1, np.random.default_rng(0))
    tie = joined([part.readings])
    tie.evidence[0] = 0.0
    assert facts_read(tie)[0].anomalous
