"""Everything that only the target can prove, in one run: its plans build, are right, and how fast they are.

Each step says what it did, or why it could not be done on this machine. Nothing is taken for granted:
a gate that did not run has not passed.
"""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from build_engines.graph.head import uncalibrated_memory
from build_engines.parity.labelled import LabelledProduct
from build_engines.tensorrt.plan_parity import PlanParity, plan_parity, record_gate
from build_engines.tensorrt.plans import PlanRequest, compile_bundle, halves_of
from edge.bundle import Bundle
from edge.choices import Precision
from edge.errors import EdgeError, EngineError
from edge.evaluation.timing import Percentiles, percentiles
from edge.image_types import Array, Image
from edge.progress import Progress
from edge.vision.engine import Engine, MemoryArrays, fit_into
from edge.vision.enrollment import BANK_ROWS
from edge.vision.opening import described
from edge.vision.openvino import OpenVinoEngine
from edge.vision.tensorrt.cuda import Cuda
from edge.vision.tensorrt.cuda_opening import open_cuda
from edge.vision.tensorrt.engine import TensorRtEngine
from edge.vision.tensorrt.library import load_tensorrt
from edge.vision.tensorrt.ready import GpuTarget

STEPS = ("halves", "reference", "tensorrt", "gpu", "plans", "engine", "parity", "latency")

StepOutcome = Literal["done", "failed", "not possible here"]

HALVES_LIMIT = 1e-4
"""The most that the two halves, one after the other, may differ from the whole graph in ONNX Runtime."""

_WARM_UP = 10
_MB = 1e6


@dataclass(frozen=True, slots=True)
class AcceptanceStep:
    """One step: what came of it, and its figures or the reason in a sentence."""

    name: str
    outcome: StepOutcome
    detail: str


@dataclass(slots=True)
class Acceptance:
    """What was found.

    Attributes:
        bundle, precision: what was tried.
        machine: this one.
        steps: in their order.
        parity: of the plans; None where they did not run.
        latency_ms: by what was measured.
        memory_mb: by what was measured.
    """

    bundle: str
    precision: Precision
    machine: str
    steps: list[AcceptanceStep] = field(default_factory=list)
    parity: PlanParity | None = None
    latency_ms: dict[str, Percentiles] = field(default_factory=dict)
    memory_mb: dict[str, float] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether every step was done and none failed."""
        return all(step.outcome == "done" for step in self.steps)

    @property
    def verdict(self) -> str:
        """One sentence."""
        failed = [step.name for step in self.steps if step.outcome == "failed"]
        if failed:
            return f"Not accepted: {', '.join(failed)} failed."
        missing = [step.name for step in self.steps if step.outcome != "done"]
        if missing:
            return f"Not accepted: {', '.join(missing)} could not be run on this machine."
        return "Accepted."


class _StopError(Exception):
    """What follows needs the step that has just not been done."""


class Acceptor:
    """Runs the steps on a bundle.

    Args:
        bundle: a checked bundle.
        precision: of the encoder.
        products: labelled images to compare on.
        wish: what the plans shall serve.
        rounds: latency samples of each kind.
        device: number of the GPU.
        progress: of builds and rounds.
        say: told of each step when it is over.
    """

    def __init__(
        self,
        bundle: Bundle,
        precision: Precision,
        products: Sequence[LabelledProduct],
        *,
        wish: PlanRequest,
        rounds: int,
        device: int = 0,
        progress: Progress = lambda *_: None,
        say: Callable[[AcceptanceStep], None] = lambda _: None,
    ) -> None:
        self._bundle = bundle
        self._precision: Precision = precision
        self._products = products
        self._wish = wish
        self._rounds = rounds
        self._device = device
        self._progress = progress
        self._say = say
        self._found = Acceptance(bundle.id, precision, _machine())

    def run(self) -> Acceptance:
        """All steps, as far as this machine allows."""
        with suppress(_StopError):
            self._steps()
        known = {step.name for step in self._found.steps}
        lacking = ", ".join(step.name for step in self._found.steps if step.outcome != "done")
        for name in STEPS:
            if name not in known:
                self._note(AcceptanceStep(name, "not possible here", f"Needs {lacking}."))
        return self._found

    def _steps(self) -> None:
        with self._step("halves"):
            self._done(_halves_parity(self._bundle, self._precision, self._products[0].reference))
        reference = self._reference()
        target, cuda = self._target()
        try:
            with self._step("plans"):
                self._compile(target)
            before_bytes = cuda.memory()[0]
            with self._step("engine"):
                engine = TensorRtEngine.open(
                    self._bundle, self._precision, self._device, accept_failed_parity=True
                )
                self._done(described(engine))
            try:
                self._found.memory_mb["engine on the GPU"] = (before_bytes - cuda.memory()[0]) / _MB
                self._measure(engine, reference)
            finally:
                engine.close()
        finally:
            cuda.close()

    def _reference(self) -> Engine:
        with self._step("reference"):
            reference = OpenVinoEngine(self._bundle, "fp32")
            image = self._products[0].reference
            samples = [_timed(lambda: reference.encode(image)) for _ in range(3)]
            self._done(f"fp32 in OpenVINO on {reference.device}, an image in {min(samples):.0f} ms")
        return reference

    def _target(self) -> tuple[GpuTarget, Cuda]:
        """This machine's TensorRT and GPU; what it lacks of both is said before the rest is given up."""
        tensorrt = cuda = None
        with self._step("tensorrt", of_the_machine=True):
            tensorrt = load_tensorrt()
            self._done(f"TensorRT {tensorrt.__version__}")
        with self._step("gpu", of_the_machine=True):
            cuda = open_cuda(self._device)
            free, total = cuda.memory()
            self._done(
                f"{cuda.device_name()}, compute capability {cuda.capability()}, by {cuda.name}, "
                f"{free / _MB:.0f} of {total / _MB:.0f} MB free"
            )
        if tensorrt is None or cuda is None:
            if cuda is not None:
                cuda.close()
            raise _StopError
        return GpuTarget(tensorrt, cuda.capability(), cuda.device_name()), cuda

    def _compile(self, target: GpuTarget) -> None:
        said: list[str] = []
        compile_bundle(
            self._bundle, self._precision, self._wish, target, progress=self._progress, say=said.append
        )
        self._done("; ".join(said))

    def _measure(self, engine: TensorRtEngine, reference: Engine) -> None:
        with self._step("parity"):
            parity = plan_parity(engine, reference, self._products)
            self._found.parity = parity
            failures = parity.failures(self._precision)
            record_gate(self._bundle, self._precision, not failures)
            if failures:
                raise EngineError(" ".join(failures))
            self._done(f"{parity.images} images within every limit")
        with self._step("latency"):
            self._latency(engine)
            whole = self._found.latency_ms["one image, encoder and head"]
            self._done(f"p50 {whole['p50']:.2f} ms, p99 {whole['p99']:.2f} ms over {self._rounds} images")

    def _latency(self, engine: TensorRtEngine) -> None:
        images = [image for product in self._products for image, _ in product.parts]
        memory = _full_bank(engine, images[0])
        kinds: dict[str, Callable[[Image], object]] = {
            "one image, encoder and head": lambda image: engine.infer(image, memory),
            "one image, encoder": engine.encode,
        }
        most = engine.most_images
        if most > 1:
            kinds[f"{most} images at once, encoder"] = lambda image: engine.encode_many([image] * most)
        for kind, work in kinds.items():
            samples = []
            for number in range(_WARM_UP + self._rounds):
                self._progress(kind, number + 1, _WARM_UP + self._rounds)
                image = images[number % len(images)]
                took_ms = _timed(lambda work=work, image=image: work(image))  # type: ignore[misc]
                if number >= _WARM_UP:
                    samples.append(took_ms)
            self._found.latency_ms[kind] = percentiles(samples)
        import psutil

        self._found.memory_mb["process"] = psutil.Process().memory_info().rss / _MB

    @contextmanager
    def _step(self, name: str, *, of_the_machine: bool = False) -> Iterator[None]:
        """A step; an error in it is its outcome, and ends the run.

        What the machine lacks is no fault of the bundle: it is said, and the next step is tried.
        """
        self._name = name
        try:
            yield
        except EdgeError as error:
            self._note(AcceptanceStep(name, "not possible here" if of_the_machine else "failed", str(error)))
            if not of_the_machine:
                raise _StopError from error

    def _done(self, detail: str) -> None:
        self._note(AcceptanceStep(self._name, "done", detail))

    def _note(self, step: AcceptanceStep) -> None:
        self._found.steps.append(step)
        self._say(step)


def _halves_parity(bundle: Bundle, precision: Precision, image: Image) -> str:
    """The halves after one another against the whole graph, both in ONNX Runtime.

    Raises:
        EngineError: they differ.
        BundleError: the bundle has no graph of that precision.
    """
    import onnxruntime

    encoder, head = halves_of(bundle, precision)
    sessions = [
        onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        for content in (
            str(bundle.file(bundle.graph(precision).file)),
            encoder.SerializeToString(),
            head.SerializeToString(),
        )
    ]

    def outputs(session: onnxruntime.InferenceSession, inputs: dict[str, Array]) -> dict[str, Array]:
        names = [port.name for port in session.get_outputs()]
        return dict(zip(names, session.run(names, inputs), strict=True))

    buffer = np.zeros((1, *bundle.manifest.encoder.input_size, 3), np.uint8)
    fit_into(image, buffer[0])
    encoded = outputs(sessions[1], {"image": buffer})  # type: ignore[dict-item]  # the one uint8 input
    names = [port.name for port in sessions[0].get_inputs() if port.name != "image"]
    memory = uncalibrated_memory(names, encoded["features"][::4].copy())
    whole = outputs(sessions[0], {"image": buffer, **memory})  # type: ignore[dict-item]
    parts = {**encoded, **outputs(sessions[2], {**encoded, **memory})}
    differences = {
        name: float(np.abs(parts[name] - whole[name]).max()) for name in ("features", "map", "score")
    }
    worst = max(differences, key=lambda name: differences[name])
    if not differences[worst] <= HALVES_LIMIT:
        raise EngineError(
            f"The halves give a different {worst} from the whole graph: it differs by "
            f"{differences[worst]:.1e}, limit {HALVES_LIMIT:.0e}."
        )
    return f"cut at features and text; together they differ from the whole by {differences[worst]:.1e}"


def _full_bank(engine: Engine, image: Image) -> MemoryArrays:
    """A memory with as many rows as a product usually has: what matching costs hangs on that alone."""
    features = engine.encode(image).features
    repeats = math.ceil(BANK_ROWS / len(features))
    bank = np.ascontiguousarray(np.tile(features, (repeats, 1))[:BANK_ROWS])
    return uncalibrated_memory(engine.memory_shapes, bank)


def _timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def _machine() -> str:
    return (
        f"{platform.machine()}, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )
