"""Taught answers are right, answers about another part are wrong, and a likeness of words does not help."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.facts import COUNTS, PLACES, SHAPES, SIZES, SURENESS, PartFacts
from edge.language.sentences import KINDS, QUESTIONS, exchange, first_answer, is_right, level_of
from edge.language.truth import said_among


@st.composite
def parts(draw: st.DrawFn) -> PartFacts:
    """Any part: a good one, or one with anomalies that the main one's place is among the places of."""
    sureness = draw(st.sampled_from(SURENESS))
    if draw(st.booleans()):
        return PartFacts(sureness=sureness)
    place = draw(st.sampled_from(PLACES))
    return PartFacts(
        count=draw(st.sampled_from(COUNTS)),
        place=place,
        places=draw(st.frozensets(st.sampled_from(PLACES), max_size=2)) | {place},
        size=draw(st.sampled_from(SIZES)),
        shape=draw(st.sampled_from(SHAPES)),
        sureness=sureness,
    )


STILL_RIGHT: dict[str, Callable[[PartFacts, PartFacts, str], bool]] = {
    "anomaly": lambda true, told, _: true.anomalous == told.anomalous,
    "count": lambda true, told, _: true.count == told.count,
    "place": lambda true, told, _: told.place in (true.places or {""}),
    "size": lambda true, told, _: true.size == told.size,
    "sureness": lambda true, told, _: true.sureness == told.sureness,
    "shape": lambda true, told, _: true.shape == told.shape,
    "acceptable": lambda true, told, _: true.anomalous == told.anomalous,
    "action": lambda true, told, _: told.place in (true.places or {""}),
    "at_place": lambda true, told, asked: (asked in true.places) == (asked in told.places),
    "half": lambda true, told, _: (
        level_of(told.place) in map(level_of, true.places)
        if true.anomalous and told.anomalous
        else true.anomalous == told.anomalous
    ),
}
"""Whether what is taught to say about one part happens to be right about another."""


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(facts=parts(), wording=st.integers(0, 5), asked=st.sampled_from(PLACES))
def test_what_is_taught_is_right(kind: str, facts: PartFacts, wording: int, asked: str) -> None:
    taught = exchange(kind, facts, wording, asked)
    assert is_right(taught.answer, taught)
    assert is_right(taught.answer.upper().replace(".", " !"), taught)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(true=parts(), told=parts(), asked=st.sampled_from(PLACES))
def test_what_is_true_of_another_part_is_right_only_where_both_agree(
    kind: str, true: PartFacts, told: PartFacts, asked: str
) -> None:
    said = exchange(kind, told, place=asked).answer
    assert is_right(said, exchange(kind, true, place=asked)) == STILL_RIGHT[kind](true, told, asked)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(facts=parts())
def test_saying_nothing_is_never_right(kind: str, facts: PartFacts) -> None:
    for said in ("", "I do not know.", "The image shows a product."):
        assert not is_right(said, exchange(kind, facts))


BAD = PartFacts("two", "top", frozenset({"top", "center"}), "small", "streak", "fairly sure")
GOOD = PartFacts()


@pytest.mark.parametrize(
    ("kind", "facts", "said", "right"),
    [
        # A place of two words holds the words of others.
        ("place", BAD, "It is at the top of the image.", True),
        ("place", BAD, "It is at the top left of the image.", False),
        ("action", BAD, "Reject the part and check it at the top right.", False),
        ("action", BAD, "Reject the part and check it at the top.", True),
        # Either of the places that it lies across, and none beside them.
        ("place", BAD, "It is at the center.", True),
        ("place", BAD, "At the top and at the left.", False),
        ("half", BAD, "It is in the middle part.", True),
        ("half", BAD, "It is in the lower part.", False),
        # A place says on which row it lies.
        ("half", BAD, "It is at the top right.", True),
        ("half", BAD, "It is at the bottom.", False),
        # Naming all of them is no answer.
        ("size", BAD, "It is small or large.", False),
        ("anomaly", BAD, "Yes and no.", False),
        ("count", BAD, "One or two.", False),
        # The model's first sentence answers these too.
        ("count", BAD, first_answer(BAD), True),
        ("place", BAD, first_answer(BAD), True),
        ("size", BAD, first_answer(BAD), True),
        ("anomaly", GOOD, first_answer(GOOD), True),
        # Words inside of words are not meant.
        ("anomaly", GOOD, "It is not known.", False),
        ("count", BAD, "There are twofold.", False),
        # "Not sure" and "very sure" share a word.
        ("sureness", BAD, "I am not sure.", False),
        ("sureness", BAD, "I am sure.", False),
        # A good part is not sent away.
        ("action", GOOD, "Nothing, but reject the part.", False),
    ],
)
def test_words_that_are_near_to_right(kind: str, facts: PartFacts, said: str, right: bool) -> None:
    assert is_right(said, exchange(kind, facts)) is right


def test_every_kind_keeps_a_wording_for_scoring() -> None:
    assert set(QUESTIONS) == set(KINDS)
    for wordings in QUESTIONS.values():
        assert len(set(wordings)) == len(wordings) == 6
    asked = exchange("at_place", GOOD, -1, "bottom left").question
    assert asked == QUESTIONS["at_place"][-1].format(place="bottom left")


@pytest.mark.parametrize(
    ("said", "option"),
    [
        ("It is at the bottom left of the image.", "bottom left"),
        ("It is at the left of the image.", "left"),
        ("At the left and at the right.", ""),
        ("Nowhere.", ""),
    ],
)
def test_the_one_option_that_words_name(said: str, option: str) -> None:
    assert said_among(said, PLACES) == option
