"""The face of every vision engine: from a camera's image to features, map and score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from edge.image_types import Array, Image

MemoryArrays = Mapping[str, Array]
"""The graph's inputs beside the image, by name: float32, C-contiguous, never changed once given."""


@dataclass(frozen=True, eq=False, slots=True)
class Encoded:
    """What the encoder's half of the graph says of one image; the arrays belong to the caller.

    Attributes:
        features: float32 (patches, feature_width), row by row from the top left, rows of length 1.
        text: float32 (patches,), the share of *abnormal* that the text decoder sees in each patch, 0 to 1;
            None where the graph has no text decoder.
    """

    features: Array
    text: Array | None = None


@dataclass(frozen=True, slots=True)
class EngineOutput:
    """What the graph says of one image; the arrays belong to the caller.

    Attributes:
        map: float32 (H, W) at the graph's input size.
        score: the image's one number.
        others: the graph's further outputs by name: ``rows``, float32 (rows, width), for the language
            model, and ``evidence``, float32 (1,), the log-odds that stand in them; empty where the
            graph has no prompt learner.
        latency_ms: ``preprocess`` and ``graph``.
    """

    map: Array
    score: float
    others: Mapping[str, Array]
    latency_ms: Mapping[str, float]


class Engine(Protocol):
    """A compiled vision graph. An engine is used by one thread at a time.

    Attributes:
        name: of the runtime.
        precision: of the encoder, such as ``fp32`` or ``int8``.
        device: what computes, such as ``CPU`` or a GPU's name.
        input_size: (H, W) in pixels; images are resized to it.
        grid: patches as (rows, columns).
        feature_width: length of one row of features.
        memory_shapes: the shapes of the memory's arrays by name; None where a length is free.
    """

    name: str
    precision: str
    device: str
    input_size: tuple[int, int]
    grid: tuple[int, int]
    feature_width: int
    memory_shapes: Mapping[str, tuple[int | None, ...]]

    def encode(self, image: Image) -> Encoded:
        """What the image shows, whatever the product.

        Raises:
            FrameError: no uint8 image (H, W) or (H, W, 3), or of a size that is refused.
        """

    def match(self, encoded: Encoded, memory: MemoryArrays) -> EngineOutput:
        """The map and score that an encoded image has.

        Raises:
            EngineError: the features or the memory do not fit this graph.
        """

    def infer(self, image: Image, memory: MemoryArrays) -> EngineOutput:
        """The map and score of an image: :meth:`encode` and :meth:`match` without a copy between.

        Raises:
            FrameError: as :meth:`encode`.
            EngineError: as :meth:`match`.
        """

    def close(self) -> None:
        """Releases the compiled graph; the engine is not usable afterwards."""


def fit_into(image: Image, buffer: Image) -> None:
    """Resizes a checked image into ``buffer``, uint8 (H, W, 3): averaging where it shrinks.

    A grey image is repeated over the three channels.
    """
    import cv2

    height, width = buffer.shape[:2]
    shrunk = (min(width, image.shape[1]), min(height, image.shape[0]))
    if shrunk != (image.shape[1], image.shape[0]):
        image = cv2.resize(image, shrunk, interpolation=cv2.INTER_AREA)
    if image.ndim == 2:
        if shrunk != (width, height):
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        cv2.cvtColor(image, cv2.COLOR_GRAY2BGR, dst=buffer)
    else:
        cv2.resize(image, (width, height), dst=buffer, interpolation=cv2.INTER_LINEAR)
