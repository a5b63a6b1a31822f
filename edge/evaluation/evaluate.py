"""How good the station's verdicts are on parts whose truth is known.

References are enrolled by the station's enrollment and parts are judged by the station's inspector.
An image's features do not depend on the references, so each test image is encoded once and then
matched with what every choice of references has learned. The engine computes both halves of the
graph alike whether or not they are called apart, so the findings equal those of the whole graph to
the bit; with ``whole_graph`` every inspection is the station's one call, and costs as much. The
language model reads each finding in this process: its numbers do not depend on where it runs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edge.bundle import Bundle
from edge.cameras import read_image
from edge.errors import FrameError, NoSinglePartError
from edge.evaluation.dataset import Category, TestPart, read_mask
from edge.evaluation.learning import EnrolledInspector, learn
from edge.evaluation.reading import read_finding
from edge.evaluation.scorer import CategoryFigures, CategoryScorer, mean_figures
from edge.language import Prompt, Reading, Runner, prompt_for
from edge.progress import Progress
from edge.vision.engine import Encoded, Engine
from edge.vision.inspector import Finding
from edge.vision.view import WHOLE_FRAME, Box, Tiles, View


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """What to evaluate.

    Attributes:
        shots: numbers of references; each gives its own result. Without references (0) the text map
            judges alone.
        seeds: each draws its own references; figures are means over the seeds. Where there are no
            references to draw, the first seed stands for all.
        whole_graph: run the whole graph for each inspection instead of encoding each image once.
        view: through which products are learned and inspected.
        chooses_view: whether each enrollment chooses how the part is found.
    """

    shots: tuple[int, ...] = (1,)
    seeds: tuple[int, ...] = (0,)
    whole_graph: bool = False
    view: View = WHOLE_FRAME
    chooses_view: bool = False

    def seeds_for(self, shots: int) -> tuple[int, ...]:
        """The seeds that make a difference."""
        return self.seeds if shots else self.seeds[:1]


@dataclass(frozen=True, slots=True)
class SeedResult:
    """A category judged with the references that one seed drew (their file names)."""

    seed: int
    references: tuple[str, ...]
    figures: CategoryFigures


@dataclass(frozen=True, slots=True)
class CategoryResult:
    """A category judged with each seed's references; ``images`` is the number of test images."""

    images: int
    by_seed: tuple[SeedResult, ...]

    @property
    def figures(self) -> CategoryFigures:
        """The means over the seeds."""
        return mean_figures([result.figures for result in self.by_seed])


@dataclass(slots=True)
class EvaluationResult:
    """All categories with one number of references.

    Attributes:
        bundle: id of the model bundle.
        shots, seeds: as planned.
        categories: by name.
        decided_by: whose alarms the place is counted over: ``language`` or ``calibration``.
        vision_ms: of every inspection, from the decoded image to the finding.
        language_ms: of every inspection, from the finding to the language verdict; empty without one.
    """

    bundle: str
    shots: int
    seeds: tuple[int, ...]
    decided_by: str
    categories: dict[str, CategoryResult] = field(default_factory=dict)
    vision_ms: list[float] = field(default_factory=list)
    language_ms: list[float] = field(default_factory=list)

    @property
    def total_ms(self) -> list[float]:
        """Of every inspection, from the decoded image to the deciding verdict."""
        if not self.language_ms:
            return self.vision_ms
        return [vision + language for vision, language in zip(self.vision_ms, self.language_ms, strict=True)]

    @property
    def mean(self) -> CategoryFigures:
        """The means over the categories."""
        return mean_figures([category.figures for category in self.categories.values()])


def evaluate(
    categories: Sequence[Category],
    engine: Engine,
    bundle: Bundle,
    plan: EvaluationPlan,
    progress: Progress | None = None,
    runner: Runner | None = None,
) -> list[EvaluationResult]:
    """Judge every category with every number of references; one result per number, as planned.

    Args:
        categories: what is judged.
        engine: compiled from ``bundle``.
        bundle: the model bundle.
        plan: references, seeds.
        progress: called as the work goes on.
        runner: the bundle's language model, which then decides; None: the calibrated score does.

    Raises:
        DatasetError: fewer good images than references, or a mask that cannot be right.
        FrameError: an image that cannot be read or inspected.
        ProductError: references that cannot make a product, or none and no text map.
        LanguageError: the language model fails.
    """
    for category in categories:
        category.references(max(plan.shots), seed=0)  # refused now rather than after an hour
    decided_by = "calibration" if runner is None else "language"
    results = [EvaluationResult(bundle.id, shots, plan.seeds_for(shots), decided_by) for shots in plan.shots]
    for number, category in enumerate(categories, start=1):
        title = f"{category.name} ({number} of {len(categories)})"
        trials = [
            _SeedTrial(
                learn(
                    category,
                    shots,
                    seed,
                    engine,
                    bundle,
                    _titled(progress, title),
                    plan.view,
                    chooses_view=plan.chooses_view,
                )
            )
            for shots in plan.shots
            for seed in plan.seeds_for(shots)
        ]
        prompt = prompt_for(category.description)
        for done, part in enumerate(category.test):
            if progress:
                progress(f"{title}: inspecting", done, len(category.test))
            _judge(part, engine, trials, plan.whole_graph, runner, prompt)
        for result in results:
            mine = [trial for trial in trials if trial.learned.shots == result.shots]
            result.categories[category.name] = CategoryResult(
                len(category.test), tuple(trial.result() for trial in mine)
            )
            result.vision_ms += [latency for trial in mine for latency in trial.vision_ms]
            result.language_ms += [latency for trial in mine for latency in trial.language_ms]
    return results


@dataclass(slots=True)
class _SeedTrial:
    """What was learned from one choice of references, and what came of it."""

    learned: EnrolledInspector
    scorer: CategoryScorer = field(default_factory=CategoryScorer)
    vision_ms: list[float] = field(default_factory=list)
    language_ms: list[float] = field(default_factory=list)

    def read(self, finding: Finding, runner: Runner, prompt: Prompt) -> Reading:
        start = time.perf_counter()
        reading = read_finding(runner, prompt, finding)
        self.language_ms.append(_since(start))
        runner.release(reading.dialogue)
        return reading

    def result(self) -> SeedResult:
        return SeedResult(self.learned.seed, self.learned.references, self.scorer.figures())


def _judge(
    part: TestPart,
    engine: Engine,
    trials: Sequence[_SeedTrial],
    whole_graph: bool,
    runner: Runner | None,
    prompt: Prompt,
) -> None:
    image = read_image(part.path)
    mask = read_mask(part, (image.shape[0], image.shape[1]))
    try:
        # What is looked at, encoded once, and how long that took.
        known: dict[tuple[Box, float, Tiles], tuple[list[Encoded], float]] = {}
        for trial in trials:
            start = time.perf_counter()
            inspector = trial.learned.inspector
            try:
                placement = inspector.placed(image)
            except NoSinglePartError:
                trial.scorer.refuse(part.defective, asked=runner is not None)
                continue
            if whole_graph:
                finding, encode_ms = inspector.inspect(image), 0.0
            else:
                looked_at = placement.box, placement.angle_deg, placement.view.tiles
                if looked_at not in known:
                    encoded = [engine.encode(piece) for piece in placement.pieces(image)]
                    known[looked_at] = encoded, _since(start)
                    start = time.perf_counter()
                encoded, encode_ms = known[looked_at]
                finding = inspector.inspect_encoded(encoded, placement)
            trial.vision_ms.append(encode_ms + _since(start))
            reading = None if runner is None else trial.read(finding, runner, prompt)
            # Nothing is ignored here, so nothing of the mask is covered.
            seen = None if mask is None else placement.seen(np.where(mask, 255, 0).astype(np.uint8)) > 0
            trial.scorer.add(finding, part.defective, mask, reading, seen=seen)
    except FrameError as error:
        raise FrameError(f"{part.path}: {error.message}", error.remedy) from error


def _since(start: float) -> float:
    return (time.perf_counter() - start) * 1e3


def _titled(progress: Progress | None, title: str) -> Progress | None:
    if progress is None:
        return None
    return lambda stage, done, total: progress(f"{title}: {stage}", done, total)
