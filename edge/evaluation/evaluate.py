"""How good the station's verdicts are on parts whose truth is known.

References are enrolled by the station's enrollment and parts are judged by the station's inspector.
An image's features do not depend on the references, so each test image is encoded once and then
matched with what every choice of references has learned. The engine computes both halves of the
graph alike whether or not they are called apart, so the findings equal those of the whole graph to
the bit; with ``whole_graph`` every inspection is the station's one call, and costs as much.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edge.cameras import Image, read_image
from edge.errors import FrameError
from edge.evaluation.dataset import Category, TestPart, read_mask
from edge.evaluation.referee import Figures, Referee, mean_figures
from edge.vision.engine import Encoded, Engine
from edge.vision.enrollment import enroll
from edge.vision.inspector import Finding, Inspector

Progress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to evaluate.

    Attributes:
        shots: numbers of references; each gives its own result.
        seeds: each draws its own references; figures are means over the seeds.
        whole_graph: run the whole graph for each inspection instead of encoding each image once.
    """

    shots: tuple[int, ...] = (1,)
    seeds: tuple[int, ...] = (0,)
    whole_graph: bool = False


@dataclass(frozen=True, slots=True)
class SeedResult:
    """A category judged with the references that one seed drew (their file names)."""

    seed: int
    references: tuple[str, ...]
    figures: Figures


@dataclass(frozen=True, slots=True)
class CategoryResult:
    """A category judged with each seed's references; ``images`` is the number of test images."""

    images: int
    by_seed: tuple[SeedResult, ...]

    @property
    def figures(self) -> Figures:
        """The means over the seeds."""
        return mean_figures([result.figures for result in self.by_seed])


@dataclass(slots=True)
class Result:
    """All categories with one number of references.

    Attributes:
        bundle: id of the model bundle.
        shots, seeds: as planned.
        categories: by name.
        vision_ms: of every inspection, from the decoded image to the finding.
    """

    bundle: str
    shots: int
    seeds: tuple[int, ...]
    categories: dict[str, CategoryResult] = field(default_factory=dict)
    vision_ms: list[float] = field(default_factory=list)

    @property
    def mean(self) -> Figures:
        """The means over the categories."""
        return mean_figures([category.figures for category in self.categories.values()])


def evaluate(
    categories: Sequence[Category],
    engine: Engine,
    bundle_id: str,
    plan: Plan,
    progress: Progress | None = None,
) -> list[Result]:
    """Judge every category with every number of references; one result per number, as planned.

    Raises:
        DatasetError: fewer good images than references, or a mask that cannot be right.
        FrameError: an image that cannot be read or inspected.
        ProductError: references that cannot make a product.
    """
    for category in categories:
        category.references(max(plan.shots), seed=0)  # refused now rather than after an hour
    results = [Result(bundle_id, shots, plan.seeds) for shots in plan.shots]
    for number, category in enumerate(categories, start=1):
        title = f"{category.name} ({number} of {len(categories)})"
        trials = [
            _Trial.enrolled(
                category,
                shots,
                seed,
                engine,
                bundle_id,
                _titled(progress, f"{title}, {shots} shots, seed {seed}"),
            )
            for shots in plan.shots
            for seed in plan.seeds
        ]
        for done, part in enumerate(category.test):
            if progress:
                progress(f"{title}: inspecting", done, len(category.test))
            _judge(part, engine, trials, plan.whole_graph)
        for result in results:
            mine = [trial for trial in trials if trial.shots == result.shots]
            result.categories[category.name] = CategoryResult(
                len(category.test), tuple(trial.result() for trial in mine)
            )
            result.vision_ms += [latency for trial in mine for latency in trial.vision_ms]
    return results


@dataclass(slots=True)
class _Trial:
    """One choice of references, what was learned from them, and what came of it."""

    shots: int
    seed: int
    references: tuple[str, ...]
    inspector: Inspector
    referee: Referee = field(default_factory=Referee)
    vision_ms: list[float] = field(default_factory=list)

    @classmethod
    def enrolled(
        cls,
        category: Category,
        shots: int,
        seed: int,
        engine: Engine,
        bundle_id: str,
        progress: Progress | None,
    ) -> _Trial:
        paths = category.references(shots, seed)
        images = [read_image(path) for path in paths]
        try:
            memory = enroll(engine, images, bundle_id=bundle_id, progress=progress)
        except FrameError as error:
            raise FrameError(f"{category.name}: {error.message}", error.remedy) from error
        return cls(shots, seed, tuple(path.name for path in paths), Inspector(engine, memory))

    def result(self) -> SeedResult:
        return SeedResult(self.seed, self.references, self.referee.figures())


def _judge(part: TestPart, engine: Engine, trials: Sequence[_Trial], whole_graph: bool) -> None:
    image = read_image(part.path)
    mask = read_mask(part, (image.shape[0], image.shape[1]))
    try:
        start = time.perf_counter()
        encoded = None if whole_graph else engine.encode(image)
        encode_ms = _since(start)
        for trial in trials:
            start = time.perf_counter()
            finding = _inspect(trial.inspector, image, encoded)
            trial.vision_ms.append(encode_ms + _since(start))
            trial.referee.add(finding, part.defective, mask)
    except FrameError as error:
        raise FrameError(f"{part.path}: {error.message}", error.remedy) from error


def _inspect(inspector: Inspector, image: Image, encoded: Encoded | None) -> Finding:
    if encoded is None:
        return inspector.inspect(image)
    return inspector.inspect_encoded(encoded, (image.shape[0], image.shape[1]))


def _since(start: float) -> float:
    return (time.perf_counter() - start) * 1e3


def _titled(progress: Progress | None, title: str) -> Progress | None:
    if progress is None:
        return None
    return lambda stage, done, total: progress(f"{title}: {stage}", done, total)
