"""What a station needs of a small board's memory, part by part.

On a Jetson the GPU has no memory of its own: engine, language model, Python and the system share one.
What can be computed is computed, from the files' sizes, the graph's shapes and the formulas of the
parts; what can be measured on the machine at hand is measured and stands beside it. Two rows are
neither: what the system itself and CUDA's libraries take is assumed, and said to be.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import onnx

from build_engines.engine_bench.resizing import encoder_at
from build_engines.graph.graph_shapes import GraphShapes
from build_engines.memory.live_memory import most_live_bytes, weight_bytes
from build_engines.memory.memory_probes import engine_growth, language_worker_rss, station_rss
from edge.bundle import Bundle
from edge.choices import Precision
from edge.config import QueueSettings
from edge.errors import LanguageError
from edge.evaluation.parts import SIZE_PX
from edge.language import ModelLimits, bundled_model
from edge.progress import StepBegun
from edge.vision.enrollment import BANK_ROWS

MB = 10**6
GIB = 2**30
WORKSPACE_MB = 512
"""The most that one kernel may take while TensorRT tries kernels; the default of ``compile``."""

_SYSTEM_MB = 1000
_CUDA_MB = 700
_KEY_AND_VALUE = 2
_HALF_FLOAT = 2  # Bytes; llama.cpp's cache.


@dataclass(frozen=True, slots=True)
class BudgetPart:
    """One part of the budget.

    Attributes:
        name: in words.
        bytes: what is counted.
        how: the formula with its numbers, or what was assumed.
        measured: bytes on this machine; None where it cannot be measured here.
    """

    name: str
    bytes: int
    how: str
    measured: int | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """A station's parts on a board.

    Attributes:
        bundle: its id.
        precision: of the encoder.
        board: bytes of memory that the board has.
        running: parts of a station at work.
        compiling: parts while ``compile`` builds the engine, with nothing else running.
    """

    bundle: str
    precision: Precision
    board: int
    running: tuple[BudgetPart, ...]
    compiling: tuple[BudgetPart, ...]

    @property
    def left(self) -> int:
        """Bytes that are free while a station works."""
        return self.board - sum(part.bytes for part in self.running)

    @property
    def left_compiling(self) -> int:
        """Bytes that are free while the engine is built."""
        return self.board - sum(part.bytes for part in self.compiling)


@dataclass(frozen=True, slots=True)
class LanguageShape:
    """What a language model's cache depends on."""

    layers: int
    kv_heads: int
    head_width: int


def cache_bytes(shape: LanguageShape, limits: ModelLimits) -> int:
    """Of keys and values: for every layer, token, head and number of it, two half floats.

    Every dialogue has the room of ``context_tokens``, and so has the beginning that all share.
    """
    tokens = limits.context_tokens * (1 + limits.dialogues)
    return _KEY_AND_VALUE * _HALF_FLOAT * shape.layers * tokens * shape.kv_heads * shape.head_width


def budget(
    bundle: Bundle,
    precision: Precision,
    board: int,
    step: StepBegun,
    *,
    system_mb: int = _SYSTEM_MB,
    cuda_mb: int = _CUDA_MB,
) -> Budget:
    """Computes and measures all parts.

    Args:
        bundle: a checked bundle.
        precision: of its graphs.
        board: bytes of memory that the board has.
        step: told what is being done.
        system_mb, cuda_mb: what is assumed of the system and of CUDA's and TensorRT's libraries.

    Raises:
        BundleError, EngineError, LanguageError: the bundle has no such graph, or a part cannot be loaded.
    """
    assumed = (
        BudgetPart("system", system_mb * MB, "assumed: JetPack without its desktop"),
        BudgetPart(
            "CUDA and TensorRT", cuda_mb * MB, "assumed: their libraries and context; accept measures it"
        ),
    )
    step("Python")
    python = station_rss()
    station = BudgetPart("station", python, "measured: Python and its libraries", python)
    step("engine")
    engine, plan = _engine_parts(bundle, precision)
    language = _language_parts(bundle, step)
    size = bundle.file(bundle.graph(precision).file).stat().st_size
    compiling = (
        BudgetPart("graph", 2 * size, f"2 × {size / MB:.0f} MB: the file, and what the parser makes of it"),
        BudgetPart("plan", plan, "its weights"),
        BudgetPart("kernels being tried", WORKSPACE_MB * MB, "the limit that compile sets: --workspace"),
    )
    return Budget(
        bundle=bundle.id,
        precision=precision,
        board=board,
        running=(*assumed, station, *engine, _images(), *language),
        compiling=(*assumed, station, *compiling),
    )


def _engine_parts(bundle: Bundle, precision: Precision) -> tuple[list[BudgetPart], int]:
    """Weights, activations and bank, and the bytes of the plan's weights."""
    encoder = bundle.manifest.encoder
    whole = onnx.load(str(bundle.file(bundle.graph(precision).file)))
    front = encoder_at(whole, encoder, encoder.input_size)
    patches = encoder.grid[0] * encoder.grid[1]
    lengths = {"batch": 1, "channels": 3, "patches": patches, "rows": BANK_ROWS}
    weights = weight_bytes(whole)
    encoding = most_live_bytes(GraphShapes(front, lengths))
    matching = most_live_bytes(GraphShapes(_behind(whole), lengths))
    bank = BANK_ROWS * (encoder.feature_width + 1) * 4
    side = "×".join(map(str, encoder.input_size))
    return [
        BudgetPart(
            "engine: encoder",
            weights + encoding,
            f"weights {weights / MB:.0f} MB, live at most at {side}, unfused: {encoding / MB:.0f} MB",
            engine_growth(bundle, precision),
        ),
        BudgetPart(
            "engine: matching", matching, f"live at most: {patches:,} patches against {BANK_ROWS:,} rows"
        ),
        BudgetPart("bank", bank, f"{BANK_ROWS:,} rows × ({encoder.feature_width} + 1) × 4 bytes"),
    ], weights


def _behind(whole: onnx.ModelProto) -> onnx.ModelProto:
    """The graph from ``features`` and ``text`` on."""
    cuts = [port.name for port in whole.graph.output if port.name in ("features", "text")]
    memory = [port.name for port in whole.graph.input if port.name != "image"]
    results = [port.name for port in whole.graph.output if port.name not in cuts]
    return onnx.utils.Extractor(whole).extract_model([*cuts, *memory], results)


def _images() -> BudgetPart:
    height, width = SIZE_PX
    count = QueueSettings().size + 1
    return BudgetPart(
        "images that wait", count * height * width * 3, f"(queue.size + 1) = {count} × {width} × {height} × 3"
    )


def _language_parts(bundle: Bundle, step: StepBegun) -> list[BudgetPart]:
    if bundle.manifest.language is None:
        return []
    step("language model")
    limits, model = ModelLimits(), bundled_model(bundle)
    shape = read_language_shape(os.fsencode(model.gguf))
    size = model.gguf.stat().st_size
    cache = cache_bytes(shape, limits)
    worker = language_worker_rss(model)
    formula = (
        f"2 × 2 bytes × {shape.layers} layers × {limits.context_tokens} tokens × (1 + {limits.dialogues}) "
        f"× {shape.kv_heads} heads × {shape.head_width}"
    )
    rest = max(0, worker - size - cache)
    return [
        BudgetPart("language model: weights", size, "the GGUF's size"),
        BudgetPart("language model: keys and values", cache, formula),
        BudgetPart(
            "language model: Python and buffers",
            rest,
            "measured: the worker less these two",
            worker,
        ),
    ]


def read_language_shape(gguf: bytes) -> LanguageShape:
    """Of a GGUF file.

    Raises:
        LanguageError: llama.cpp is missing or cannot read it.
    """
    from edge.language.library import last_complaint, load

    llama = load()
    parameters = llama.llama_model_default_params()
    parameters.n_gpu_layers = 0
    model = llama.llama_model_load_from_file(gguf, parameters)
    if not model:
        raise LanguageError(f"llama.cpp cannot read {os.fsdecode(gguf)}{last_complaint()}.")
    try:
        width = int(llama.llama_model_n_embd(model)) // int(llama.llama_model_n_head(model))
        return LanguageShape(
            int(llama.llama_model_n_layer(model)), int(llama.llama_model_n_head_kv(model)), width
        )
    finally:
        llama.llama_model_free(model)
