"""From the fp32 graph to the graphs of the precisions that have a file of their own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import onnx

from build_engines.precision.calibration_set import CalibrationSet
from build_engines.precision.float16 import as_float16
from build_engines.precision.int8_symmetric import as_symmetric
from build_engines.precision.mixed_precision import kept_in_float32
from build_engines.precision.quantize import quantized
from edge.choices import Precision

OF_THEIR_OWN: frozenset[Precision] = frozenset({"fp16", "int8", "int8-symmetric"})
"""The precisions that are more than a way to compute the fp32 file."""

_HALVED: frozenset[Precision] = frozenset({"fp16", "int8-symmetric"})
_EIGHT_BIT: frozenset[Precision] = frozenset({"int8", "int8-symmetric"})
# Images that fp16's cost is measured on: it hangs on the weights far more than on the image.
_MEASURED = 4


@dataclass(frozen=True, eq=False, slots=True)
class PrecisionGraph:
    """One precision's graph, and what the manifest has to say of how it was made.

    Attributes:
        kept_in_float32, calibrated_on: see :class:`edge.bundle.GraphFile`.
    """

    precision: Precision
    model: onnx.ModelProto
    kept_in_float32: tuple[str, ...] = ()
    calibrated_on: str = ""


def made_precisions(
    model: onnx.ModelProto,
    wanted: Collection[Precision],
    calibration: CalibrationSet,
    step: Callable[[str], None],
) -> Iterator[PrecisionGraph]:
    """Makes each wanted precision's graph; one calibration serves both kinds of int8.

    Args:
        model: the fp32 graph of :func:`build_engines.assembly.export.vision_graph`; it is not changed.
        wanted: of :data:`OF_THEIR_OWN`.
        calibration: what to measure on.
        step: told what is being done.

    Raises:
        EngineError: int8 cannot be made.
    """
    _, height, width, _ = model.graph.input[0].type.tensor_type.shape.dim
    batches = calibration.batches((int(height.dim_value), int(width.dim_value)))
    nodes, why = frozenset[str](), tuple[str, ...]()
    if _HALVED & set(wanted):
        step("what fp16 costs")
        kept = kept_in_float32(model, batches[:_MEASURED])
        nodes, why = kept.nodes, kept.why
    if "fp16" in wanted:
        step("fp16")
        yield PrecisionGraph("fp16", as_float16(model, nodes), kept_in_float32=why)
    if _EIGHT_BIT & set(wanted):
        step("int8")
        eight_bit = quantized(model, batches)
        if "int8" in wanted:
            yield PrecisionGraph("int8", eight_bit, calibrated_on=calibration.about)
        if "int8-symmetric" in wanted:
            yield PrecisionGraph("int8-symmetric", as_symmetric(eight_bit, nodes), why, calibration.about)
