"""What this machine computes at most: the rate of large matrix products, nothing in between."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edge.choices import Precision
from edge.errors import EngineError

if TYPE_CHECKING:
    import openvino as ov

PEAK_SIDE = 512  # Factors that stay in the cache: larger ones were slower, up to a third in fp32.
_ROWS = 2  # Times the side.
_PRODUCTS = 40  # 21 GFLOP in one run.
_RUNS = 2


class Peak:
    """Chained products in OpenVINO, to be run beside what is measured against them.

    Args:
        precision: of the products.
        threads: as the contestants'.
        side: of the constant matrices.
    """

    def __init__(self, precision: Precision, threads: int | None, side: int = PEAK_SIDE) -> None:
        import openvino as ov

        options: dict[str, str | int] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        }
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        try:
            model = ov.Core().compile_model(_products(side, precision == "int8"), "CPU", options)
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot multiply matrices in {precision}: {error}") from error
        self._request = model.create_infer_request()
        self._request.set_input_tensor(ov.Tensor(_normal(_ROWS * side, side)))
        self._operations = 2 * _ROWS * side**3 * _PRODUCTS

    def gflops(self) -> float:
        """Operations per nanosecond: of a few runs the best, since others disturb."""
        return max(self._once() for _ in range(_RUNS))

    def _once(self) -> float:
        start = time.perf_counter_ns()
        self._request.infer()
        return self._operations / (time.perf_counter_ns() - start)


def _products(side: int, in_integers: bool) -> ov.Model:
    """A chain of products with constant matrices, float32 in and out."""
    import openvino as ov
    from openvino import opset13 as operators

    given = operators.parameter([_ROWS * side, side], np.float32, name="given")
    product = given
    for number in range(_PRODUCTS):
        weights = _normal(side, side, number)
        if in_integers:
            steps = operators.constant(np.clip(weights * 30, -127, 127).astype(np.int8))
            factor = operators.multiply(operators.convert(steps, "f32"), np.float32(1 / 30))
            ends = np.float32(-4), np.float32(4)
            product = operators.fake_quantize(product, *ends, *ends, 256)
        else:
            factor = operators.constant(weights)
        product = operators.matmul(product, factor, False, True)
    return ov.Model([operators.result(product)], [given], "peak")


def _normal(rows: int, columns: int, seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((rows, columns), np.float32)
