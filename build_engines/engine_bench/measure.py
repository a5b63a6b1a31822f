"""Every runtime and precision side by side, image by image, at several input sizes and batches.

Absolute times move with the machine's clock and with what else runs on it; since all contestants take
their turn on every image, and so does the machine's peak, their ratios stay.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx

from build_engines.assembly.export import content_of
from build_engines.engine_bench.arithmetic import operations
from build_engines.engine_bench.banks import BANKS, BankRun, run_banks
from build_engines.engine_bench.peak import PEAK_SIDE, Peak
from build_engines.engine_bench.resizing import encoder_at
from build_engines.engine_bench.runtimes import OPENVINO, Contestant, compiled, contestants
from edge.bundle import Bundle, Encoder
from edge.choices import Precision
from edge.image_types import Image
from edge.progress import Progress
from edge.vision.engine import fit_into
from edge.vision.openvino import OpenVinoEngine, auto_precision

SIZES = (224, 336, 448, 672)
BATCHES = (1, 4)

_LEAST_ROUNDS, _MOST_ROUNDS = 3, 12
_GROUP_S = 8.0  # Once a size and batch took so long, no further round is begun.
_BANK_ROUNDS = 10


@dataclass(slots=True)
class Group:
    """All contestants at one input size and batch.

    Attributes:
        size: (H, W) in pixels.
        batch: images in one run.
        gflop: 10^9 operations that one image needs.
        run_ms: milliseconds of each run, one per round; those of one round are of the same images.
        peak_gflops: of the machine in that round, by precision.
    """

    size: tuple[int, int]
    batch: int
    gflop: float
    run_ms: dict[Contestant, list[float]] = field(default_factory=dict)
    peak_gflops: dict[Precision, list[float]] = field(default_factory=dict)

    def image_ms(self, contestant: Contestant) -> float:
        """The median time per image."""
        return float(np.median(self.run_ms[contestant])) / self.batch

    def of_peak(self, contestant: Contestant) -> float:
        """The share of the machine's peak in its precision that a contestant reaches: likewise the median."""
        reached = self.gflop * self.batch * 1e3 / np.array(self.run_ms[contestant])
        return float(np.median(reached / self.peak_gflops[contestant.precision]))

    def times_as_fast(self, contestant: Contestant, over: Contestant) -> float:
        """The median over the rounds."""
        return float(np.median(np.divide(self.run_ms[over], self.run_ms[contestant])))


@dataclass(frozen=True, slots=True)
class EngineBenchResult:
    """What was measured, on what.

    Attributes:
        bundle: its id.
        threads: as asked for; None: the runtimes' choice.
        groups: per size and batch.
        auto: what ``precision: auto`` takes.
        passed: the precisions whose parity gate the bundle passed.
        at: the bundle's own input size.
        banks: what matching costs, by rows.
    """

    bundle: str
    threads: int | None
    groups: list[Group]
    auto: Contestant
    passed: frozenset[Precision]
    at: tuple[int, int]
    banks: dict[int, BankRun]

    @property
    def peak_gflops(self) -> dict[Precision, float]:
        """The machine's highest rates seen, by precision."""
        return {
            precision: max(max(group.peak_gflops[precision]) for group in self.groups)
            for precision in self.groups[0].peak_gflops
        }

    @property
    def own(self) -> Group | None:
        """The group as a station works: the bundle's input size, one image at a time."""
        return next((g for g in self.groups if g.size == self.at and g.batch == 1), None)


def fastest_that_passed(group: Group, passed: frozenset[Precision]) -> Contestant:
    """The contestant with the least time per image among those whose precision passed its parity gate."""
    return min((c for c in group.run_ms if c.precision in passed), key=group.image_ms)


def measure_engines(
    bundle: Bundle,
    images: Sequence[Image],
    progress: Progress,
    *,
    threads: int | None = None,
    sizes: Sequence[int] = SIZES,
    batches: Sequence[int] = BATCHES,
    banks: Sequence[int] = BANKS,
    peak_side: int = PEAK_SIDE,
) -> EngineBenchResult:
    """Measures all of it; some minutes.

    Args:
        bundle: a checked bundle with an fp32 graph.
        images: uint8 (H, W) or (H, W, 3), shown one after the other.
        progress: called before each step.
        threads: of every runtime; None leaves it to them.
        sizes: sides of square inputs in pixels; those that are no multiple of the encoder's patch are left
            out, and the bundle's own is among them.
        batches: images in one run.
        banks: numbers of rows to match against.
        peak_side: of the matrices that the machine's peak is measured with.

    Raises:
        BundleError, EngineError: the bundle has no fp32 graph, no precision passed, or a runtime cannot
            compile one.
        FrameError: no image.
    """
    encoder, graphs = bundle.manifest.encoder, bundle.manifest.graphs
    bundle.graph("fp32")
    auto = Contestant(OPENVINO, auto_precision(bundle).precision)
    racing = contestants(bundle)
    peaks = {p: Peak(p, threads, peak_side) for p in dict.fromkeys(c.precision for c in racing)}
    sides = _sides(encoder, sizes)
    groups: list[Group] = []
    for side, batch in itertools.product(sides, batches):
        title, done = f"{side} pixels, batch {batch}", len(groups)
        told = functools.partial(_tell, progress, title, done, len(sides) * len(batches))
        told("compiling")
        groups.append(_raced(bundle, racing, peaks, images, (side, side), batch, threads, told))
    engines = {p: OpenVinoEngine(bundle, p, threads) for p in graphs if Contestant(OPENVINO, p) in racing}
    bank_runs = run_banks(engines, _fitted(images, encoder.input_size), _BANK_ROUNDS, progress, banks)
    for engine in engines.values():
        engine.close()
    return EngineBenchResult(
        bundle=bundle.id,
        threads=threads,
        groups=groups,
        auto=auto,
        passed=frozenset(
            p for p, graph in graphs.items() if graph.parity is not None and graph.parity.passed
        ),
        at=encoder.input_size,
        banks=bank_runs,
    )


def _sides(encoder: Encoder, sizes: Sequence[int]) -> list[int]:
    height, width = encoder.input_size
    own = {height} if height == width else set()
    return sorted(own | {side for side in sizes if side % encoder.patch == 0})


def _tell(progress: Progress, title: str, done: int, steps: int, what: str) -> None:
    progress(f"{title}: {what}", done, steps)


def _raced(
    bundle: Bundle,
    racing: Sequence[Contestant],
    peaks: Mapping[Precision, Peak],
    images: Sequence[Image],
    size: tuple[int, int],
    batch: int,
    threads: int | None,
    told: Callable[[str], None],
) -> Group:
    """Rounds until the time is up; the first of them warms up and is not kept."""
    graphs = bundle.manifest.graphs
    models = {
        name: encoder_at(onnx.load(str(bundle.file(name))), bundle.manifest.encoder, size)
        for name in {graphs[contestant.precision].file for contestant in racing}
    }
    gflop = operations(models[graphs["fp32"].file]) / 1e9
    contents = {name: content_of(model) for name, model in models.items()}
    running = {}
    for contestant in racing:
        graph = graphs[contestant.precision]
        running[contestant] = compiled(
            contestant, contents[graph.file], graph.float_type, (batch, *size, 3), threads
        )
    group = Group(size, batch, gflop, {each: [] for each in racing}, {each: [] for each in peaks})
    shown = itertools.cycle(_fitted(images, size))
    began_s = time.monotonic()
    for number in range(_MOST_ROUNDS + 1):
        if number > _LEAST_ROUNDS and time.monotonic() - began_s > _GROUP_S:
            break
        together = np.stack(list(itertools.islice(shown, batch)))
        for contestant, engine in running.items():
            told(str(contestant))
            took_ms = engine.run_ms(together)
            if number:
                group.run_ms[contestant].append(took_ms)
        for precision, peak in peaks.items():
            rate = peak.gflops()
            if number:
                group.peak_gflops[precision].append(rate)
    return group


def _fitted(images: Sequence[Image], size: tuple[int, int]) -> list[Image]:
    fitted = []
    for image in images:
        fitted.append(np.zeros((*size, 3), np.uint8))
        fit_into(image, fitted[-1])
    return fitted
