"""An engine that makes a GPU file's errors on a CPU, so that its parity can be measured without the GPU."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from build_engines.graph.encoder_parts import cut
from build_engines.precision.float16 import rounded_in_float32
from build_engines.precision.part_costs import session_of
from edge.bundle import Bundle
from edge.choices import Precision
from edge.image_types import Image, check_image
from edge.vision.engine import Encoded, Engine, EngineOutput, MemoryArrays, fit_into

ROUNDED: frozenset[Precision] = frozenset({"fp16", "int8-symmetric"})
"""The precisions whose files are made for GPUs."""


class RoundingEngine:
    """An fp16 or int8-symmetric graph in ONNX Runtime, rounded wherever the file says float16.

    Implements :class:`edge.vision.engine.Engine`. How a GPU's kernels accumulate is their own: what the
    file costs is measured here, what a GPU makes of it is measured there.

    Args:
        bundle: with a graph of that precision.
        precision: to compute.
        exact: the same bundle's fp32 engine, whose head serves here too: it is the same in every file.
    """

    name = "onnxruntime"
    device = "CPU"

    def __init__(self, bundle: Bundle, precision: Precision, exact: Engine) -> None:
        self.precision: str = precision
        self.input_size = exact.input_size
        self.grid = exact.grid
        self.feature_width = exact.feature_width
        self.memory_shapes: Mapping[str, tuple[int | None, ...]] = exact.memory_shapes
        self._exact = exact
        model = rounded_in_float32(onnx.load(str(bundle.file(bundle.graph(precision).file))))
        outputs = {output.name for output in model.graph.output}
        self._outputs = [name for name in ("features", "text") if name in outputs]
        self._session = session_of(cut(model, "image", self._outputs))
        self._buffer = np.zeros((1, *self.input_size, 3), np.uint8)

    def encode(self, image: Image) -> Encoded:
        """See :meth:`edge.vision.engine.Engine.encode`."""
        check_image(image)
        fit_into(image, self._buffer[0])
        found = self._session.run(self._outputs, {"image": self._buffer})
        return Encoded(**dict(zip(self._outputs, found, strict=True)))

    def match(self, encoded: Encoded, memory: MemoryArrays) -> EngineOutput:
        """See :meth:`edge.vision.engine.Engine.match`."""
        return self._exact.match(encoded, memory)

    def infer(self, image: Image, memory: MemoryArrays) -> EngineOutput:
        """See :meth:`edge.vision.engine.Engine.infer`."""
        return self.match(self.encode(image), memory)

    def close(self) -> None:
        """Releases the session."""
        del self._session
