"""One half of the vision graph, from its ONNX file to a TensorRT plan for the GPU at hand.

The file says what is computed in which type: strongly typed on TensorRT 10, where 11 knows nothing else.
float32 means float32: on tensor cores it would otherwise be rounded to TF32's ten bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.errors import EngineError
from edge.progress import Progress
from edge.vision.tensorrt.library import last_words, message_log, network_flags

if TYPE_CHECKING:
    import tensorrt as trt


_MB = 1 << 20


@dataclass(frozen=True, slots=True)
class LengthSpan:
    """The values of a half's one free length that its plan serves.

    Attributes:
        least, most: it takes these and all between.
        usual: it is fastest at this one.
    """

    least: int
    usual: int
    most: int

    def __str__(self) -> str:
        return f"{self.least}…{self.most}, fastest at {self.usual}"


@dataclass(frozen=True, slots=True)
class BuiltPlan:
    """A plan, and what was learned about the GPU's kernels while it was built."""

    plan: bytes
    timing_cache: bytes


def build_plan(
    tensorrt: Any,
    graph: bytes,
    *,
    name: str,
    span: LengthSpan,
    workspace_mb: int,
    timing_cache: bytes = b"",
    progress: Progress = lambda *_: None,
) -> BuiltPlan:
    """Parses and builds one half; minutes on a small board, for which nothing else should run there.

    Args:
        tensorrt: the module, ``tensorrt`` or one with its interface.
        graph: the ONNX file's content.
        name: of the half, for messages.
        span: of its free length; of no account where it has none.
        workspace_mb: the most memory that a kernel may take beside its inputs and outputs.
        timing_cache: of an earlier build on this GPU by this version; another's is left aside.

    Raises:
        EngineError: an operator that this TensorRT lacks, by name, or a build that fails.
    """
    log = message_log(tensorrt)
    builder: trt.Builder = tensorrt.Builder(log)
    if builder is None:
        raise EngineError(f"TensorRT cannot build here: {last_words(log)}", "Check the GPU: nvidia-smi")
    network: trt.INetworkDefinition = builder.create_network(network_flags(tensorrt))
    parser: trt.OnnxParser = _parsed(tensorrt, network, graph, name, log)
    config: trt.IBuilderConfig = builder.create_builder_config()
    config.set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, workspace_mb * _MB)
    config.clear_flag(tensorrt.BuilderFlag.TF32)
    monitor = config.progress_monitor = _monitor(tensorrt, name, progress)
    profile: trt.IOptimizationProfile = builder.create_optimization_profile()
    if _span_inputs(network, profile, span):
        config.add_optimization_profile(profile)
    cache: trt.ITimingCache = _timing_cache(config, timing_cache)
    plan: trt.IHostMemory = builder.build_serialized_network(network, config)
    del parser  # It owns the weights, which the network only points to.
    if monitor.interrupted:
        raise KeyboardInterrupt
    if plan is None:
        raise EngineError(
            f"TensorRT {tensorrt.__version__} cannot build the {name}: {last_words(log)}",
            "Stop other programs that use the GPU's memory, or use less of it: --workspace MB, --batch N.",
        )
    learned: trt.IHostMemory = cache.serialize()
    return BuiltPlan(bytes(plan), bytes(learned))


def _parsed(
    tensorrt: Any, network: trt.INetworkDefinition, graph: bytes, name: str, log: Any
) -> trt.OnnxParser:
    parser: trt.OnnxParser = tensorrt.OnnxParser(network, log)
    # Of bytes that are no ONNX at all it makes an empty network, without a word.
    if parser.parse(graph) and network.num_outputs > 0:
        return parser
    reasons = dict.fromkeys(_reason(parser.get_error(number)) for number in range(parser.num_errors))
    said = "; ".join(reasons) if reasons else last_words(log)
    raise EngineError(
        f"TensorRT {tensorrt.__version__} does not accept the {name}: {said}.",
        "Choose another precision, or report this line.",
    )


def _reason(error: trt.ParserError) -> str:
    operator, node = error.node_operator(), error.node_name()
    said = " ".join(error.desc().split()).rstrip(".")
    return f"operator {operator} (node {node!r}): {said}" if operator else said


def _timing_cache(config: trt.IBuilderConfig, known: bytes) -> trt.ITimingCache:
    """What is known of this GPU's kernels, in use by ``config``; nothing where that cannot be read."""
    cache: trt.ITimingCache = config.create_timing_cache(known)
    if cache is None or not config.set_timing_cache(cache, False):
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, False)
    return cache


def _span_inputs(
    network: trt.INetworkDefinition, profile: trt.IOptimizationProfile, span: LengthSpan
) -> bool:
    """Says the span of every input with a free length; whether there is one."""
    free = False
    for number in range(network.num_inputs):
        tensor: trt.ITensor = network.get_input(number)
        shape = tuple(tensor.shape)
        if -1 in shape:
            free = True
            least, usual, most = (
                tuple(value if length == -1 else length for length in shape)
                for value in (span.least, span.usual, span.most)
            )
            profile.set_shape(tensor.name, least, usual, most)
    return free


def _monitor(tensorrt: Any, name: str, progress: Progress) -> Any:
    """TensorRT's phases as one progress: they nest, and the innermost is what is being done."""

    class Monitor(tensorrt.IProgressMonitor):  # type: ignore[misc]  # the module is known at run time only
        def __init__(self) -> None:
            tensorrt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}
            self.interrupted = False

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:  # noqa: ARG002
            self._steps[phase_name] = num_steps
            self._tell(phase_name, 0)

        def step_complete(self, phase_name: str, step: int) -> bool:
            self._tell(phase_name, step + 1)
            return not self.interrupted

        def phase_finish(self, phase_name: str) -> None:
            self._tell(phase_name, self._steps.pop(phase_name, 0))

        def _tell(self, phase_name: str, done: int) -> None:
            try:
                progress(f"{name}: {phase_name}", done, self._steps.get(phase_name, done))
            except KeyboardInterrupt:  # It must not unwind through TensorRT's own frames.
                self.interrupted = True

    return Monitor()
