"""What was asked about parts and what was said, and how much of it is right.

Beside the truth stands whether the answers agree with the inspection, right or wrong: words that
contradict the verdict beside them are worse than a wrong verdict in good words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from edge.evaluation.metrics import share
from edge.facts import COUNTS, PLACES
from edge.inspection import Verdict
from edge.language.sentences import KINDS
from edge.language.truth import said_among


@dataclass(frozen=True, slots=True)
class InterviewAnswer:
    """One question and what was said to it.

    Attributes:
        kind: of :data:`edge.language.sentences.KINDS`.
        question: as asked.
        taught: what training would have had the model say.
        said: by the model.
        right: whether it says what is true of the part.
    """

    kind: str
    question: str
    taught: str
    said: str
    right: bool


@dataclass(frozen=True, slots=True)
class Interview:
    """One part's inspection, and the answers about it.

    Attributes:
        part: its test image, as ``KIND/NAME``.
        defective: what it is.
        verdict: the language model's.
        location, count: of the inspection: nine-cell words, and how many regions in words; empty for ``ok``.
        sentence: the first answer.
        answers: one per kind of question.
    """

    part: str
    defective: bool
    verdict: Verdict
    location: str
    count: str
    sentence: str
    answers: tuple[InterviewAnswer, ...]

    @property
    def verdict_is_right(self) -> bool:
        """Whether the part is what the model takes it for."""
        return (self.verdict is Verdict.NG) == self.defective

    def said(self, kind: str) -> str:
        """The answer to the question of that kind."""
        return next(answer.said for answer in self.answers if answer.kind == kind)


@dataclass(frozen=True, slots=True)
class CategoryInterviews:
    """The interviews about one product, learned from the references that one seed drew."""

    category: str
    seed: int
    interviews: tuple[Interview, ...]


@dataclass(frozen=True, slots=True)
class AnswerAgreement:
    """How often answers say what the inspection says; None where no part asks for it.

    Attributes:
        verdict: *is there anything wrong* and *is it acceptable* are answered as the verdict demands.
        place: *where* is answered with the inspection's place; of parts that are ng.
        count: *how many* is answered with the number of its regions; of parts that are ng.
    """

    verdict: float | None
    place: float | None
    count: float | None


@dataclass(slots=True)
class DialogueResult:
    """All interviews.

    Attributes:
        bundle: id of the model bundle.
        shots, seeds: how the products were learned.
        products: one per category and seed.
    """

    bundle: str
    shots: int
    seeds: tuple[int, ...]
    products: list[CategoryInterviews] = field(default_factory=list)

    @property
    def interviews(self) -> list[Interview]:
        """About all parts."""
        return [interview for product in self.products for interview in product.interviews]

    @property
    def answers(self) -> list[InterviewAnswer]:
        """To all questions."""
        return _answers(self.interviews)

    @property
    def right(self) -> float | None:
        """The share of right answers."""
        return _right(self.answers)

    @property
    def right_where_verdict_is(self) -> float | None:
        """The share of right answers about parts whose verdict is right."""
        return _right(_answers(i for i in self.interviews if i.verdict_is_right))

    def right_by_kind(self) -> dict[str, float | None]:
        """The share of right answers to each kind of question."""
        return {kind: _right(answer for answer in self.answers if answer.kind == kind) for kind in KINDS}

    def right_by_category(self) -> dict[str, float | None]:
        """The share of right answers about each product, over its seeds."""
        of_category: dict[str, list[Interview]] = {}
        for product in self.products:
            of_category.setdefault(product.category, []).extend(product.interviews)
        return {name: _right(_answers(interviews)) for name, interviews in of_category.items()}

    def agreement(self) -> AnswerAgreement:
        """Of the answers with the inspections."""
        interviews = self.interviews
        alarms = [interview for interview in interviews if interview.verdict is Verdict.NG]
        return AnswerAgreement(
            verdict=share([agrees for interview in interviews for agrees in _agree_on_verdict(interview)]),
            place=share([said_among(i.said("place"), PLACES) == i.location for i in alarms]),
            count=share([said_among(i.said("count"), COUNTS) == i.count for i in alarms]),
        )


_ANSWER_OF_VERDICT = {
    "anomaly": {Verdict.NG: "yes", Verdict.OK: "no"},
    "acceptable": {Verdict.NG: "no", Verdict.OK: "yes"},
}


def _agree_on_verdict(interview: Interview) -> Iterator[bool]:
    for kind, answers in _ANSWER_OF_VERDICT.items():
        yield said_among(interview.said(kind), answers.values()) == answers[interview.verdict]


def _answers(interviews: Iterable[Interview]) -> list[InterviewAnswer]:
    return [answer for interview in interviews for answer in interview.answers]


def _right(answers: Iterable[InterviewAnswer]) -> float | None:
    return share([answer.right for answer in answers])
