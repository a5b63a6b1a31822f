"""What each half of the method is worth: the same parts judged with a piece left out, in one run.

Per product, references are enrolled twice: with the text map and without it. Every test part is encoded once.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

import numpy as np

from build_engines.graph.learned import TrainedWeights
from build_engines.language.gguf import REQUANTIZED, fetch_smollm2
from build_engines.presets import Quantization
from edge.bundle import Bundle
from edge.cameras import read_image
from edge.evaluation.dataset import Category
from edge.evaluation.learning import learn
from edge.evaluation.metrics import Decisions, auroc, mean_known
from edge.image_types import Array, Image
from edge.language import Runner, bundled_model, prompt_for
from edge.progress import Progress
from edge.vision.engine import Encoded, Engine, EngineOutput, MemoryArrays
from edge.vision.inspector import Finding

if TYPE_CHECKING:
    from rich.table import Table


_LEAST = 1e-9  # Of a distance, under a logarithm.

REFERENCE_ONLY, TEXT_ONLY, BOTH = "reference map", "text map, no reference", "both maps"
ONE_SCALE = "both maps, uncalibrated: one boundary for all products"
NO_MAP = "language model, base rows and the image's own, no map"


def _quantized(name: str) -> str:
    return f"language model, {name}"


WAYS = (
    REFERENCE_ONLY,
    TEXT_ONLY,
    BOTH,
    ONE_SCALE,
    NO_MAP,
    *(_quantized(name) for name in get_args(Quantization)),
)
"""What is left in, in the order of the table."""


@dataclass(frozen=True, slots=True)
class AblationRow:
    """One way to judge; fractions, means over the products.

    Attributes:
        name: what is left in.
        auroc: of its number for each part.
        accuracy, balanced_accuracy: of its verdicts.
    """

    name: str
    auroc: float | None
    accuracy: float | None
    balanced_accuracy: float | None


@dataclass(slots=True)
class _Judged:
    """What one way said of a product's parts; a number of 0 and more is ng."""

    numbers: list[float] = field(default_factory=list)
    defective: list[bool] = field(default_factory=list)

    def add(self, number: float, defective: bool) -> None:
        self.numbers.append(number)
        self.defective.append(defective)

    def row(self, name: str) -> AblationRow:
        pairs = [(number >= 0, bad) for number, bad in zip(self.numbers, self.defective, strict=True)]
        decisions = Decisions.count(pairs)
        return AblationRow(
            name, auroc(self.numbers, self.defective), decisions.accuracy, decisions.balanced_accuracy
        )


@dataclass(slots=True)
class _Product:
    """What every way said of a product.

    Attributes:
        boundary: as a distance of features, before any calibration.
        distances: of its parts, likewise.
        judged: by way.
    """

    boundary: float
    distances: _Judged = field(default_factory=_Judged)
    judged: dict[str, _Judged] = field(default_factory=dict)

    def add(self, way: str, number: float, defective: bool) -> None:
        self.judged.setdefault(way, _Judged()).add(number, defective)


class _WithoutText:
    """An engine whose text decoder sees nothing abnormal anywhere."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name, self.precision, self.device = engine.name, engine.precision, engine.device
        self.input_size, self.grid = engine.input_size, engine.grid
        self.feature_width, self.memory_shapes = engine.feature_width, engine.memory_shapes

    def encode(self, image: Image) -> Encoded:
        return blinded(self._engine.encode(image))

    def match(self, encoded: Encoded, memory: MemoryArrays) -> EngineOutput:
        return self._engine.match(blinded(encoded), memory)

    def infer(self, image: Image, memory: MemoryArrays) -> EngineOutput:
        return self.match(self.encode(image), memory)

    def close(self) -> None:
        """The engine is another's."""


def blinded(encoded: Encoded) -> Encoded:
    """The same features, and a share of *abnormal* of 0 in every patch."""
    return Encoded(encoded.features, np.zeros(len(encoded.features), np.float32))


class Ablation:
    """Judges products in every way.

    Args:
        engine: compiled from ``bundle``.
        bundle: with a text decoder and a language half.
        learned: what the bundle's learned rows were made of.
        shots, seed: the references.
        progress: called as the work goes on.
    """

    def __init__(
        self,
        engine: Engine,
        bundle: Bundle,
        learned: TrainedWeights,
        shots: int,
        seed: int,
        progress: Progress,
    ) -> None:
        self._engine = engine
        self._bundle = bundle
        self._learned = learned
        self._draw = (shots, seed)
        self._progress = progress

    def rows(self, categories: Sequence[Category]) -> list[AblationRow]:
        """The figures of every way.

        Raises:
            EdgeError: a dataset, an image or the bundle cannot be used.
        """
        with _runners(self._bundle) as runners:
            products = [self._product(category, runners) for category in categories]
        by_way: dict[str, list[_Judged]] = {
            way: [p.judged[way] for p in products] for way in products[0].judged
        }
        by_way[ONE_SCALE] = list(_on_one_scale(products))
        return [_mean(way, [judged.row(way) for judged in by_way[way]]) for way in WAYS]

    def _product(self, category: Category, runners: Mapping[str, Runner]) -> _Product:
        shots, seed = self._draw
        inspectors = {
            way: learn(category, references, seed, engine, self._bundle, self._progress).inspector
            for way, references, engine in (
                (REFERENCE_ONLY, shots, _WithoutText(self._engine)),
                (TEXT_ONLY, 0, self._engine),
                (BOTH, shots, self._engine),
            )
        }
        memory = inspectors[BOTH].memory
        offset, gain = (float(value) for value in memory.arrays["scale"])
        product = _Product(memory.boundary / gain + offset)
        prompt = prompt_for(category.description)
        for done, part in enumerate(category.test):
            self._progress(f"{category.name}: judging in every way", done, len(category.test))
            image = read_image(part.path)
            encoded = [self._engine.encode(image)]
            findings = {
                way: inspector.inspect_encoded(encoded, inspector.placed(image))
                for way, inspector in inspectors.items()
            }
            for way, finding in findings.items():
                product.add(way, finding.score - inspectors[way].memory.boundary, part.defective)
            finding = findings[BOTH]
            product.distances.add(finding.score / gain + offset, part.defective)
            for way, runner, rows in self._asked(runners, _rows(finding)):
                reading = runner.judge(prompt, rows)
                runner.release(reading.dialogue)
                product.add(way, reading.yes_logit - reading.no_logit, part.defective)
        return product

    def _asked(self, runners: Mapping[str, Runner], rows: Array) -> Iterator[tuple[str, Runner, Array]]:
        yield NO_MAP, next(iter(runners.values())), _without_map(rows, self._learned)
        for name, runner in runners.items():
            yield _quantized(name), runner, rows


def _rows(finding: Finding) -> Array:
    assert finding.rows is not None, "a bundle with a language half gives rows"
    return finding.rows


def _without_map(rows: Array, learned: TrainedWeights) -> Array:
    """The image's row, and prompt rows of which only what all parts share is left."""
    tensors = learned.tensors
    shared = tensors["learner.prompt.bias"].reshape(-1, rows.shape[1]) * tensors["learner.scale"]
    left: Array = rows.copy()
    left[1 : 1 + len(shared)] = shared
    return left


def _on_one_scale(products: Sequence[_Product]) -> Iterator[_Judged]:
    """Distances against the geometric mean of the other products' boundaries."""
    logs = [math.log(max(product.boundary, _LEAST)) for product in products]
    for number, product in enumerate(products):
        others = logs[:number] + logs[number + 1 :] or logs
        common = sum(others) / len(others)
        distances = product.distances
        yield _Judged([math.log(max(d, _LEAST)) - common for d in distances.numbers], distances.defective)


@contextmanager
def _runners(bundle: Bundle) -> Iterator[Mapping[str, Runner]]:
    """The language model in every quantization, the one that ships first."""
    shipped = bundled_model(bundle)
    with ExitStack() as stack:
        runners: dict[str, Runner] = {}
        for name in sorted(get_args(Quantization), key=lambda name: REQUANTIZED[name] != shipped.sha256):
            model = dataclasses.replace(shipped, gguf=fetch_smollm2(name), sha256=REQUANTIZED[name])
            runners[name] = stack.enter_context(Runner(model))
        yield runners


def _mean(name: str, rows: Sequence[AblationRow]) -> AblationRow:
    return AblationRow(
        name,
        mean_known(row.auroc for row in rows),
        mean_known(row.accuracy for row in rows),
        mean_known(row.balanced_accuracy for row in rows),
    )


def ablation_table(rows: Sequence[AblationRow]) -> Table:
    """The figures, in per cent."""
    from rich.table import Table

    from edge.evaluation.report import percent

    table = Table(title="What each piece is worth, means over the products")
    table.add_column("judged by")
    for column in ("image AUROC", "accuracy", "balanced accuracy"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(row.name, *map(percent, (row.auroc, row.accuracy, row.balanced_accuracy)))
    return table
