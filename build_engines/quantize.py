"""int8: the encoder's matrix products in 8-bit integers, fixed in the graph file itself.

NNCF observes the graph on calibration images and writes quantisation operators around the products
that stand it. The patch embedding is left in float, since its share of the time is small and what
saturates in it is lost for all layers; so is the matching head, since a distance is a small
difference of large numbers.
"""

from __future__ import annotations

import logging

import numpy as np
import onnx

from build_engines.head import uncalibrated_memory
from edge.errors import EngineError
from edge.vision.engine import Image, fit_into
from models.rendered import calibration_images

_IMAGES = 24
# How far the scale of an outlying channel is moved from the activations into the weights (Xiao et
# al., 2023, "SmoothQuant"). Measured on real parts, mean patch cosine: 0.9976 at 0.95, 0.9990 at
# 0.7, 0.9987 at 0.5.
_SMOOTHING = 0.7


def quantized(model: onnx.ModelProto, size: tuple[int, int], feature_width: int) -> onnx.ModelProto:
    """The vision graph with an int8 encoder, as ONNX QDQ.

    Args:
        model: the fp32 graph of :func:`build_engines.export.vision_graph`; it is not changed.
        size: (H, W) of its input in pixels.
        feature_width: of a patch's features.

    Raises:
        EngineError: NNCF is missing or cannot quantise the graph.
    """
    try:
        import nncf
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet
    except ImportError as error:
        raise EngineError(
            "int8 needs NNCF, which is not installed.", "Install it: pip install 'anomalygpt-edge[build]'"
        ) from error
    nncf.set_log_level(logging.ERROR)
    static = onnx.ModelProto()
    static.CopyFrom(model)
    batch, _, _, channels = static.graph.input[0].type.tensor_type.shape.dim
    batch.dim_value, channels.dim_value = 1, 3
    memory = uncalibrated_memory(
        [port.name for port in static.graph.input[1:]], np.eye(1, feature_width, dtype=np.float32)
    )
    images = [_fitted(image, size) for image in calibration_images(_IMAGES)]
    try:
        result: onnx.ModelProto = nncf.quantize(
            static,
            nncf.Dataset(images, lambda image: {"image": image, **memory}),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(images),
            ignored_scope=nncf.IgnoredScope(names=_kept_in_float(static)),
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                # The widest range seen, not the mean over images: a real part may lie outside of
                # what was rendered.
                activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
                smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(matmul=_SMOOTHING),
            ),
        )
    except (nncf.NNCFError, RuntimeError) as error:
        raise EngineError(
            f"NNCF cannot quantise the graph: {error}", "Leave int8 out with --precision."
        ) from error
    batch, _, _, channels = result.graph.input[0].type.tensor_type.shape.dim
    batch.dim_param, channels.dim_param = "batch", "channels"
    del result.graph.value_info[:]  # Inferred for the shapes of the calibration.
    return result


def _kept_in_float(model: onnx.ModelProto) -> list[str]:
    """The patch embedding, and every node behind the last tap: the head."""
    names = [node.name for node in model.graph.node]
    last_tap = max(i for i, name in enumerate(names) if name.startswith("tap."))
    return ["patch", *names[last_tap + 1 :]]


def _fitted(image: Image, size: tuple[int, int]) -> Image:
    buffer = np.zeros((1, *size, 3), np.uint8)
    fit_into(image, buffer[0])
    return buffer
