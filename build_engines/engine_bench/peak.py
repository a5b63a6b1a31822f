"""What this machine computes at most: the rate of large matrix products, nothing in between."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from edge.bundle import Precision
from edge.errors import EngineError

if TYPE_CHECKING:
    import openvino as ov

PEAK_SIDE = 2048
_PRODUCTS = 3  # 52 GFLOP in one run: more is not faster, and less is not yet as fast.


class Peak:
    """Chained square products in OpenVINO, to be run beside what is measured against them.

    Args:
        precision: of the products.
        threads: as the contestants'.
        side: of the matrices.
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
        self._request.set_input_tensor(ov.Tensor(_normal(side)))
        self._operations = 2 * side**3 * _PRODUCTS

    def gflops(self) -> float:
        """Operations per nanosecond of one run."""
        start = time.perf_counter_ns()
        self._request.infer()
        return self._operations / (time.perf_counter_ns() - start)


def _products(side: int, in_integers: bool) -> ov.Model:
    """A chain of products with constant matrices, float32 in and out."""
    import openvino as ov
    from openvino import opset13 as operators

    given = operators.parameter([side, side], np.float32, name="given")
    product = given
    for number in range(_PRODUCTS):
        weights = _normal(side, number)
        if in_integers:
            steps = operators.constant(np.clip(weights * 30, -127, 127).astype(np.int8))
            factor = operators.multiply(operators.convert(steps, "f32"), np.float32(1 / 30))
            ends = np.float32(-4), np.float32(4)
            product = operators.fake_quantize(product, *ends, *ends, 256)
        else:
            factor = operators.constant(weights)
        product = operators.matmul(product, factor, False, True)
    return ov.Model([operators.result(product)], [given], "peak")


def _normal(side: int, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).standard_normal((side, side), np.float32)
