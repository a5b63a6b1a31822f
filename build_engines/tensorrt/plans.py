"""From a bundle's graph to TensorRT plans on the machine that will run them."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx

from build_engines.assembly.export import content_of
from build_engines.graph.cut import cut, free_length
from edge.bundle import Bundle
from edge.choices import Precision
from edge.errors import EngineError
from edge.progress import Progress
from edge.vision.enrollment import BANK_ROWS
from edge.vision.tensorrt.build import LengthSpan
from edge.vision.tensorrt.compiled import (
    FASTEST_FIRST,
    HALVES,
    Compilation,
    GraphHalf,
    folder_of,
    read_compilation,
    write_compilation,
)
from edge.vision.tensorrt.plans import UnusablePlanError, read_plan, write_cached
from edge.vision.tensorrt.ready import GpuTarget, build_into

MOST_BANK_ROWS = 32 * BANK_ROWS
"""An enrollment that looks for the parts' orientations matches whole references: 32 of them."""

WORKSPACE_MB = 512
"""What a kernel may take on a board of 8 GB, whose memory the CPU, the system and the build share."""

_USUAL: tuple[Precision, ...] = ("fp16", "fp32")
_FIXED = LengthSpan(1, 1, 1)


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What plans shall serve.

    Attributes:
        batch: the most images at once.
        bank_rows: the most rows of a bank.
        workspace_mb: the most memory that a kernel may take beside its inputs and outputs.
    """

    batch: int = 1
    bank_rows: int = MOST_BANK_ROWS
    workspace_mb: int = WORKSPACE_MB


def usual_precision(bundle: Bundle) -> Precision:
    """What a GPU computes fast of what a bundle has, without a loss that is worth a thought."""
    return next(precision for precision in _USUAL if precision in bundle.manifest.graphs)


def halves_of(bundle: Bundle, precision: Precision) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """The encoder and the head of a bundle's graph.

    Raises:
        BundleError: the bundle has no graph of that precision.
        EngineError: TensorRT does not compute it, or the graph cannot be cut.
    """
    if precision not in FASTEST_FIRST:
        raise EngineError(
            f"{precision} is for CPUs: TensorRT computes in the file's own types, and supports int8 only "
            f"without zero points.",
            f"Choose {', '.join(FASTEST_FIRST)}.",
        )
    whole = onnx.load(str(bundle.file(bundle.graph(precision).file)))
    return cut(whole, math.prod(bundle.manifest.encoder.grid))


def compile_bundle(
    bundle: Bundle,
    precision: Precision,
    wish: PlanRequest,
    target: GpuTarget,
    *,
    force: bool = False,
    progress: Progress = lambda *_: None,
    say: Callable[[str], None] = lambda _: None,
) -> Compilation:
    """Cuts a bundle's graph and builds what is not built yet.

    Args:
        bundle: a checked bundle.
        precision: of the encoder; the head is the same file's, in float32.
        wish: what the plans shall serve.
        target: this machine's TensorRT and GPU.
        force: build also what is there.
        progress: of a build.
        say: told of each half when it is done.

    Raises:
        BundleError: the bundle has no graph of that precision.
        EngineError: the graph cannot be cut or built, or the cache cannot be written.
    """
    folder = folder_of(bundle, precision)
    compilation, contents = prepared(bundle, precision, wish)
    for name, content in contents.items():
        write_cached(folder / compilation.half(name).file, content)
    for name in HALVES:
        if not force and _is_there(folder, compilation, name, target):
            say(f"{precision} {name}: up to date")
            continue
        start_s = time.monotonic()
        plan = build_into(folder, compilation, name, contents[name], target, progress)
        say(f"{precision} {name}: built in {time.monotonic() - start_s:.0f} s, {len(plan) / 1e6:.1f} MB")
    write_compilation(folder, compilation)  # Last: who finds it may take the plans for built.
    return compilation


def prepared(bundle: Bundle, precision: Precision, wish: PlanRequest) -> tuple[Compilation, dict[str, bytes]]:
    """What shall be compiled, and the halves' ONNX files by name; nothing is written yet.

    Raises:
        BundleError: the bundle has no graph of that precision.
        EngineError: the graph cannot be cut, or takes one image only where more are wished.
    """
    halves = dict(zip(HALVES, halves_of(bundle, precision), strict=True))
    if not free_length(halves["encoder"]) and wish.batch > 1:
        raise EngineError(
            f"The graph of bundle {bundle.name} takes one image at a time.",
            f"Build the bundle again with this version, or leave out --batch {wish.batch}.",
        )
    spans = {
        "encoder": LengthSpan(1, 1, wish.batch),
        "head": LengthSpan(1, min(BANK_ROWS, wish.bank_rows), wish.bank_rows),
    }
    contents = {name: content_of(half) for name, half in halves.items()}
    described = {
        name: GraphHalf(
            file=f"{name}.onnx",
            sha256=hashlib.sha256(contents[name]).hexdigest(),
            span=spans[name] if free_length(half) else _FIXED,
        )
        for name, half in halves.items()
    }
    compilation = Compilation(
        bundle=bundle.name,
        precision=precision,
        graph=bundle.manifest.files[bundle.graph(precision).file].sha256,
        encoder=described["encoder"],
        head=described["head"],
        workspace_mb=wish.workspace_mb,
    )
    return _with_its_gate(bundle, compilation), contents


def _with_its_gate(bundle: Bundle, compilation: Compilation) -> Compilation:
    """The compilation with what was measured of the very same one before."""
    try:
        before = read_compilation(bundle, compilation.precision)
    except EngineError:
        return compilation
    same = before.model_copy(update={"passed": None}) == compilation
    return before if same else compilation


def _is_there(folder: Path, compilation: Compilation, name: str, target: GpuTarget) -> bool:
    try:
        read_plan(folder, target.key(name, compilation.half(name)))
    except UnusablePlanError:
        return False
    return True
