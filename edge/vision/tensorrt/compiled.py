"""What ``build_engines compile`` leaves for the station: the graph's halves, and how plans of them are built.

With the halves beside them, plans that a new TensorRT or another GPU has made useless are built again by
whoever opens the engine, with nothing but TensorRT's own parser.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.bounded import SMALL_FILE_BYTES, read_regular
from edge.bundle import Bundle
from edge.choices import Precision
from edge.errors import EngineError
from edge.paths import cache_dir
from edge.tools import command_line
from edge.vision.tensorrt.build import LengthSpan
from edge.vision.tensorrt.plans import write_cached

RECORD_NAME = "compiled.json"
FASTEST_FIRST: tuple[Precision, ...] = ("int8-symmetric", "fp16", "fp32")
"""What TensorRT computes: the file's own types. bf16 and int8 with zero points are for CPUs."""

HALVES: tuple[Literal["encoder", "head"], ...] = ("encoder", "head")


class _CompilationPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GraphHalf(_CompilationPart):
    """One half of the graph: its ONNX file in the folder, and the span that its plan serves."""

    file: str
    sha256: str
    span: LengthSpan


class Compilation(_CompilationPart):
    """The content of ``compiled.json``.

    Attributes:
        graph: sha256 of the bundle's graph that was cut.
        workspace_mb: the most memory that a kernel may take.
        passed: whether the plans were as right as the gate asks when they were last measured on the target;
            None before.
    """

    version: Literal[1] = 1
    bundle: str
    precision: Precision
    graph: str
    encoder: GraphHalf
    head: GraphHalf
    workspace_mb: int = Field(ge=1)
    passed: bool | None = None

    def half(self, name: str) -> GraphHalf:
        """``encoder`` or ``head``."""
        return self.encoder if name == "encoder" else self.head


def folder_of(bundle: Bundle, precision: Precision) -> Path:
    """Where a bundle's plans of that precision lie, in the cache."""
    return cache_dir() / "tensorrt" / bundle.id / precision


def compile_command(bundle: Bundle, precision: str | None = None) -> str:
    """What to run to have plans of a bundle."""
    chosen = [] if precision is None else ["--precision", precision]
    return command_line("build_engines", "compile", bundle.name, *chosen)


def accept_command(bundle: Bundle, precision: str | None = None) -> str:
    """What to run to measure them."""
    return compile_command(bundle, precision).replace(" compile ", " accept ")


def compiled_precisions(bundle: Bundle) -> tuple[Precision, ...]:
    """Of which precisions a bundle was compiled, the fastest first."""
    return tuple(p for p in FASTEST_FIRST if (folder_of(bundle, p) / RECORD_NAME).is_file())


def read_compilation(bundle: Bundle, precision: Precision) -> Compilation:
    """What was compiled of a bundle.

    Raises:
        EngineError: nothing was, it cannot be understood, or it was of another graph.
        BundleError: the bundle has no graph of that precision.
    """
    graph = bundle.manifest.files[bundle.graph(precision).file].sha256
    path = folder_of(bundle, precision) / RECORD_NAME
    compile_it = f"Compile it on this machine: {compile_command(bundle, precision)}"
    try:
        compilation = Compilation.model_validate_json(read_regular(path, SMALL_FILE_BYTES))
    except OSError as error:
        raise EngineError(
            f"Bundle {bundle.name} has no TensorRT plans in {precision} here ({path.parent}).", compile_it
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise EngineError(f"{path}: {where}: {first['msg']}.", compile_it) from error
    if compilation.graph != graph:
        raise EngineError(f"{path} belongs to a different graph than the bundle's.", compile_it)
    return compilation


def write_compilation(folder: Path, compilation: Compilation) -> None:
    """Writes ``compiled.json`` whole or not at all."""
    write_cached(folder / RECORD_NAME, (compilation.model_dump_json(indent=2) + "\n").encode())
