"""Runs a vision graph up to named tensors in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import onnx.utils
import onnxruntime


def run(model: onnx.ModelProto, image: np.ndarray, names: Sequence[str]) -> list[np.ndarray]:
    """The tensors ``names`` for one image, uint8 (H, W, 3)."""
    # Whatever is cut there needs a type: the checker's inference gives the graph's inside none.
    inferred = onnx.shape_inference.infer_shapes(model)
    cut = onnx.utils.Extractor(inferred).extract_model(["image"], list(names))
    session = onnxruntime.InferenceSession(cut.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs: list[np.ndarray] = session.run(list(names), {"image": image[None]})
    return outputs
