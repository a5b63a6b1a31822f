"""The station's vision engine with a text decoder that is still being trained.

Enrollment and training share the station's own arithmetic: this engine gives what the
graph of :mod:`build_engines.graph.head` gives, so that the maps that the reader learns from are the maps
that a station makes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import cv2
import numpy as np
import torch

from edge.bundle import Bundle
from edge.choices import Precision
from edge.image_types import Array, Image, check_image
from edge.vision.engine import Encoded, EngineOutput, MemoryArrays, fit_into
from edge.vision.scoring import MAP_RADIUS, MAP_SIGMA, SCORE_RADIUS, SCORE_SIGMA, smoothed, top_mean
from models.heads.constants import MAP_SIDE
from models.heads.decoder import TextDecoder
from models.heads.taps import tap_runner


class TrainingEngine:
    """Implements :class:`edge.vision.engine.Engine`; its map is 48 cells a side, as the reader takes it.

    Args:
        bundle: whose encoder is used.
        precision: of the encoder.
        decoder: gives the text map; without one there is none.
    """

    name = "training"
    device = "CPU"

    def __init__(
        self,
        bundle: Bundle,
        precision: Precision,
        decoder: TextDecoder | None = None,
        threads: int | None = None,
    ) -> None:
        encoder = bundle.manifest.encoder
        self.precision: str = precision
        self.input_size = encoder.input_size
        self.grid = encoder.grid
        self.feature_width = encoder.feature_width
        self.memory_shapes: Mapping[str, tuple[int | None, ...]] = {
            "bank": (None, encoder.feature_width),
            "scale": (2,),
            **({"bank_text": (None,), "text_worth": (1,)} if decoder is not None else {}),
        }
        self._run = tap_runner(bundle, precision, threads)
        self._decoder = decoder
        self._buffer = np.zeros((*encoder.input_size, 3), np.uint8)

    def taps(self, image: Image) -> Array:
        """float32 (taps, patches, width)."""
        check_image(image)
        fit_into(image, self._buffer)
        return self._run(self._buffer)

    def encode(self, image: Image) -> Encoded:
        """See :meth:`edge.vision.engine.Engine.encode`."""
        taps = self.taps(image)
        features = _unit(_unit(taps).sum(0))
        if self._decoder is None:
            return Encoded(features)
        with torch.no_grad():
            return Encoded(features, self._decoder(torch.from_numpy(taps)[None])[0].numpy())

    def match(self, encoded: Encoded, memory: MemoryArrays) -> EngineOutput:
        """See :meth:`edge.vision.engine.Engine.match`."""
        start = time.perf_counter()
        similarity = encoded.features @ memory["bank"].T
        distance = 1 - similarity.max(1)
        if encoded.text is not None and "bank_text" in memory:
            usual = memory["bank_text"][similarity.argmax(1)]
            distance = distance + np.maximum(encoded.text - usual, 0) * memory["text_worth"]
        offset, gain = memory["scale"]
        calibrated = (smoothed(distance.reshape(self.grid), SCORE_SIGMA, SCORE_RADIUS) - offset) * gain
        shown = cv2.resize(smoothed(calibrated, MAP_SIGMA, MAP_RADIUS), (MAP_SIDE, MAP_SIDE))
        return EngineOutput(
            map=np.asarray(shown, np.float32),
            score=top_mean(calibrated),
            others={},
            latency_ms={"preprocess": 0.0, "graph": (time.perf_counter() - start) * 1e3},
        )

    def infer(self, image: Image, memory: MemoryArrays) -> EngineOutput:
        """See :meth:`edge.vision.engine.Engine.infer`."""
        return self.match(self.encode(image), memory)

    def close(self) -> None:
        """Releases the compiled graph."""
        del self._run


def _unit(rows: Array) -> Array:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), np.float32)
