"""What is asked about a part and what is answered: ten kinds of question, from the facts alone.

Training teaches these answers, and the scored dialogue holds the model's words against them. Each
kind is asked in several wordings; the last of them is never trained on, so that scoring asks what
the model has not been asked before.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.facts import COUNTS, PLACES, SHAPES, SIZES, SURENESS, PartFacts
from edge.language.truth import Truth

KINDS = (
    "anomaly",
    "count",
    "place",
    "size",
    "sureness",
    "shape",
    "acceptable",
    "action",
    "at_place",
    "half",
)
"""The kinds of question."""

_NOTHING = "There is no anomaly in the image."

QUESTIONS: dict[str, tuple[str, ...]] = {
    "anomaly": (
        "Is there anything wrong with it?",
        "Is the part defective?",
        "Does it have a defect?",
        "Do you see a fault?",
        "Is there a problem with this part?",
        "Is something wrong with this part?",
    ),
    "count": (
        "How many anomalies are there?",
        "How many defects do you see?",
        "How many are there?",
        "Count the defects.",
        "Is it one defect or more?",
        "How many defects does it have?",
    ),
    "place": (
        "Where is it?",
        "Where is the anomaly?",
        "Where is the defect?",
        "At which place is it?",
        "Show me where the fault is.",
        "Where exactly is the defect?",
    ),
    "size": (
        "How large is it?",
        "How big is the defect?",
        "What size is the anomaly?",
        "Is it small or large?",
        "And how large is it?",
        "How big is it?",
    ),
    "sureness": (
        "How sure are you?",
        "Are you sure?",
        "How certain is that?",
        "How confident are you?",
        "Can I rely on that?",
        "How sure is this verdict?",
    ),
    "shape": (
        "What kind of defect is it?",
        "What does it look like?",
        "What is it?",
        "What kind of anomaly is it?",
        "Which shape does it have?",
        "What sort of defect is it?",
    ),
    "acceptable": (
        "Is this part acceptable?",
        "Can it be shipped?",
        "Is the part OK?",
        "May it pass?",
        "Is it a good part?",
        "Can this part be accepted?",
    ),
    "action": (
        "What should the operator do?",
        "What should I look at?",
        "What should be checked?",
        "What do I do with it?",
        "What should the operator look at?",
        "What should I check?",
    ),
    "at_place": (
        "Is there an anomaly at the {place}?",
        "Is there a defect at the {place}?",
        "Is it at the {place}?",
        "Is the {place} damaged?",
        "What about the {place}?",
        "Do you see a defect at the {place}?",
    ),
    "half": (
        "Is it in the upper or the lower part?",
        "Is it at the top or at the bottom?",
        "Is that in the upper part?",
        "Upper or lower part?",
        "Is the defect in the upper or the lower part?",
        "Is that further up or further down?",
    ),
}
"""Wordings by kind; the last one of each is for scoring only."""

LEVELS = ("upper", "middle", "lower")
"""The rows of the nine places, as ``half`` names them."""


@dataclass(frozen=True, slots=True)
class QuestionAnswer:
    """One question about a part, its right answer, and what every right answer must say.

    Attributes:
        kind: of ``KINDS``.
        question: as asked.
        answer: the sentence that training teaches.
        truth: what any right answer says.
    """

    kind: str
    question: str
    answer: str
    truth: Truth


def level_of(place: str) -> str:
    """Which of ``LEVELS`` a place lies on."""
    return LEVELS[PLACES.index(place) // 3]


def first_answer(facts: PartFacts) -> str:
    """The sentence that begins with the verdict."""
    if not facts.anomalous:
        return f"No, {_NOTHING[0].lower()}{_NOTHING[1:]}"
    if facts.count == "one":
        return f"Yes, there is an anomaly in the image: one {facts.size} {facts.shape}, at the {facts.place}."
    return (
        f"Yes, there are {facts.count} anomalies in the image, the main one a {facts.size} {facts.shape}, "
        f"at the {facts.place}."
    )


def exchange(kind: str, facts: PartFacts, wording: int = 0, place: str = PLACES[4]) -> QuestionAnswer:
    """A question of that kind about a part, and its answer.

    Args:
        kind: of ``KINDS``.
        facts: what is true of the part.
        wording: which of ``QUESTIONS[kind]``; -1 is the one kept for scoring.
        place: what ``at_place`` asks about.
    """
    question = QUESTIONS[kind][wording].format(place=place)
    answer, truth = _ANSWERS[kind](facts, place)
    return QuestionAnswer(kind, question, answer, truth)


def is_right(said: str, wanted: QuestionAnswer) -> bool:
    """Whether the words that were said are a right answer; see :class:`Truth`.

    A place is right where it holds a fair share of the anomalies: one that lies across two places may
    be named by either.
    """
    return wanted.truth.is_in(said)


def _whether(true: bool) -> Truth:
    return Truth.one_of({"yes" if true else "no"}, ("yes", "no"))


def _places(facts: PartFacts) -> frozenset[str]:
    return facts.places | {facts.place}


def _anomaly(facts: PartFacts, _: str) -> tuple[str, Truth]:
    truth = _whether(facts.anomalous)
    if not facts.anomalous:
        return f"No, {_NOTHING[0].lower()}{_NOTHING[1:]}", truth
    return f"Yes, there is a defect at the {facts.place}.", truth


def _count(facts: PartFacts, _: str) -> tuple[str, Truth]:
    truth = Truth.one_of({facts.count or "no"}, ("no", *COUNTS))
    if not facts.anomalous:
        return _NOTHING, truth
    if facts.count == "one":
        return "There is one anomaly.", truth
    return f"There are {facts.count} anomalies.", truth


def _place(facts: PartFacts, _: str) -> tuple[str, Truth]:
    if not facts.anomalous:
        return _NOTHING, Truth.one_of({"no"}, PLACES)
    return f"It is at the {facts.place} of the image.", Truth.one_of(_places(facts), ("no", *PLACES))


def _size(facts: PartFacts, _: str) -> tuple[str, Truth]:
    truth = Truth.one_of({facts.size or "no"}, ("no", *SIZES))
    return (f"It is {facts.size}." if facts.anomalous else _NOTHING), truth


def _sureness(facts: PartFacts, _: str) -> tuple[str, Truth]:
    return f"I am {facts.sureness}.", Truth.one_of({facts.sureness}, SURENESS)


def _shape(facts: PartFacts, _: str) -> tuple[str, Truth]:
    truth = Truth.one_of({facts.shape or "no"}, ("no", *SHAPES))
    if not facts.anomalous:
        return _NOTHING, truth
    if facts.shape == "streak":
        return "It is a streak, long and thin, such as a scratch or a crack.", truth
    return "It is a spot, such as a stain, a hole or a dent.", truth


def _acceptable(facts: PartFacts, _: str) -> tuple[str, Truth]:
    truth = _whether(not facts.anomalous)
    if not facts.anomalous:
        return "Yes, the part is acceptable.", truth
    return "No, the part is not acceptable.", truth


def _action(facts: PartFacts, _: str) -> tuple[str, Truth]:
    if not facts.anomalous:
        return "Nothing, the part is good.", Truth.one_of({"nothing"}, ("reject", *PLACES))
    places = _places(facts)
    truth = Truth.one_of({"reject"}, {"nothing", *PLACES} - places, places)
    return f"Reject the part and check it at the {facts.place}.", truth


def _at_place(facts: PartFacts, place: str) -> tuple[str, Truth]:
    truth = _whether(place in facts.places)
    if place in facts.places:
        return f"At the {place}: yes, there is a defect.", truth
    return f"At the {place}: no, there is no defect.", truth


def _half(facts: PartFacts, _: str) -> tuple[str, Truth]:
    if not facts.anomalous:
        return _NOTHING, Truth.one_of({"no"}, (*LEVELS, *PLACES))
    # A place says on which row it lies.
    levels = {level_of(place) for place in _places(facts)}
    right = levels | {place for place in PLACES if level_of(place) in levels}
    truth = Truth.one_of(right, ("no", *LEVELS, *PLACES))
    return f"It is in the {level_of(facts.place)} part of the image.", truth


_ANSWERS = {
    "anomaly": _anomaly,
    "count": _count,
    "place": _place,
    "size": _size,
    "sureness": _sureness,
    "shape": _shape,
    "acceptable": _acceptable,
    "action": _action,
    "at_place": _at_place,
    "half": _half,
}
