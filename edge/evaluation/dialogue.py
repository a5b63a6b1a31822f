"""How good the language model's answers are about parts whose truth is known.

Each part is inspected and judged as evaluation does it, and its first sentence is written. Then every
kind of question is asked, in the wording that training never saw, each in a fork of the dialogue, so
that no answer leans on another one. An answer is right if it says what the part's mask says, and how
sure one is what the evidence behind the verdict says.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edge.bundle import Bundle
from edge.cameras import read_image
from edge.errors import FrameError
from edge.evaluation.dataset import Category, TestPart, read_mask
from edge.evaluation.interviews import CategoryInterviews, DialogueResult, Interview, InterviewAnswer
from edge.evaluation.learning import learn
from edge.evaluation.reading import read_finding
from edge.facts import PLACES, PartFacts, count_of, facts_of_mask, sureness_of, touched_places
from edge.image_types import Mask
from edge.inspection import Verdict
from edge.language import Prompt, Runner, prompt_for
from edge.language.sentences import KINDS, exchange, is_right
from edge.progress import Progress
from edge.vision.engine import Engine
from edge.vision.inspector import Finding, Inspector

UNSEEN = -1
"""The wording of each kind that is kept for scoring."""


def interview_parts(
    categories: Sequence[Category],
    engine: Engine,
    bundle: Bundle,
    runner: Runner,
    *,
    shots: int = 4,
    seeds: Sequence[int] = (0,),
    parts: int = 6,
    progress: Progress | None = None,
) -> DialogueResult:
    """Talks about parts of every category, learned from each seed's references.

    Args:
        categories: products of which at least one test part is good or has a mask.
        engine: compiled from ``bundle``.
        bundle: the model bundle.
        runner: its language model, with room for at least two dialogues.
        shots: number of references.
        seeds: each draws its own references; the parts stay the same.
        parts: how many of each category: half of them good, the others spread over the kinds of defect.
        progress: called as the work goes on.

    Raises:
        DatasetError: fewer good images than references, or a mask that cannot be right.
        FrameError: an image that cannot be read or inspected.
        LanguageError: the language model fails.
    """
    for category in categories:
        category.references(shots, seed=0)  # Refused now rather than after an hour.
    result = DialogueResult(bundle.id, shots, tuple(seeds) if shots else tuple(seeds[:1]))
    for number, category in enumerate(categories, start=1):
        title = f"{category.name} ({number} of {len(categories)})"
        chosen = _with_known_truth(category).limited(parts).test
        prompt = prompt_for(category.description)
        for seed in result.seeds:
            inspector = learn(category, shots, seed, engine, bundle, _titled(progress, title)).inspector
            interviews = []
            for done, part in enumerate(chosen):
                if progress:
                    progress(f"{title}: talking about parts, seed {seed}", done, len(chosen))
                interviews.append(_interview(part, inspector, runner, prompt, f"{category.name} {seed}"))
            result.products.append(CategoryInterviews(category.name, seed, tuple(interviews)))
    return result


def _with_known_truth(category: Category) -> Category:
    return replace(
        category, test=tuple(part for part in category.test if not part.defective or part.mask is not None)
    )


def _interview(part: TestPart, inspector: Inspector, runner: Runner, prompt: Prompt, draw: str) -> Interview:
    image = read_image(part.path)
    shape = (image.shape[0], image.shape[1])
    marked = read_mask(part, shape)
    assert marked is not None, "only parts whose truth is known are talked about"
    mask = np.asarray(marked, np.uint8)
    try:
        finding = inspector.inspect(image)
    except FrameError as error:
        raise FrameError(f"{part.path}: {error.message}", error.remedy) from error
    name = f"{part.kind}/{part.path.name}"
    facts = facts_of_mask(mask, sureness_of(_evidence(finding)))
    asked_place = _place_to_ask_about(facts, mask, random.Random(f"{draw} {name}"))
    reading = read_finding(runner, prompt, finding)
    sentence = "".join(runner.answer(reading.dialogue)).strip()
    answers = tuple(_ask(runner, reading.dialogue, kind, facts, asked_place) for kind in KINDS)
    runner.release(reading.dialogue)
    is_ng = reading.verdict is Verdict.NG
    return Interview(
        part=name,
        defective=part.defective,
        verdict=reading.verdict,
        location=finding.location if is_ng else "",
        count=count_of(len(finding.regions)) if is_ng else "",
        sentence=sentence,
        answers=answers,
    )


def _ask(runner: Runner, dialogue: int, kind: str, facts: PartFacts, place: str) -> InterviewAnswer:
    wanted = exchange(kind, facts, UNSEEN, place)
    fork = runner.fork(dialogue)
    said = "".join(runner.ask(fork, wanted.question)).strip()
    runner.release(fork)
    return InterviewAnswer(kind, wanted.question, wanted.answer, said, is_right(said, wanted))


def _place_to_ask_about(facts: PartFacts, mask: Mask, rng: random.Random) -> str:
    """Half of the time a place that holds an anomaly, else one without a single anomalous pixel.

    A place that an anomaly only grazes is not asked about: neither answer would be wrong.
    """
    clean = [place for place in PLACES if place not in touched_places(mask)]
    if facts.places and (not clean or rng.random() < 0.5):
        return rng.choice(sorted(facts.places))
    return rng.choice(clean)


def _evidence(finding: Finding) -> float:
    assert finding.evidence is not None, "a graph that gives rows gives their evidence"
    return finding.evidence


def _titled(progress: Progress | None, title: str) -> Progress | None:
    if progress is None:
        return None
    return lambda stage, done, total: progress(f"{title}, {stage}", done, total)
