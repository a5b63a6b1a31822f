"""int8: the encoder's matrix products in 8-bit integers, fixed in the graph file itself.

NNCF observes the graph on calibration images and writes quantisation operators around the products
that stand it. The patch embedding is left in float, since its share of the time is small and what
saturates in it is lost for all layers; so is the matching head, since a distance is a small
difference of large numbers.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import onnx

from build_engines.graph.encoder_parts import encoder_nodes
from build_engines.graph.head import uncalibrated_memory
from build_engines.precision.part_costs import ImageBatch
from edge.errors import EngineError

# How far the scale of an outlying channel is moved from the activations into the weights (Xiao et
# al., 2023, "SmoothQuant"). Measured on real parts, mean patch cosine: 0.9976 at 0.95, 0.9990 at
# 0.7, 0.9987 at 0.5.
_SMOOTHING = 0.7


def quantized(model: onnx.ModelProto, images: Sequence[ImageBatch]) -> onnx.ModelProto:
    """The vision graph with an int8 encoder, as ONNX QDQ.

    Args:
        model: the fp32 graph of :func:`build_engines.assembly.export.vision_graph`; it is not changed.
        images: what the ranges are observed on.

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
    logging.getLogger("nncf").setLevel(logging.ERROR)  # NNCF's own way changes others' handlers too.
    static = onnx.ModelProto()
    static.CopyFrom(model)
    batch, _, _, channels = static.graph.input[0].type.tensor_type.shape.dim
    batch.dim_value, channels.dim_value = 1, 3
    features = next(port for port in static.graph.output if port.name == "features")
    feature_width = features.type.tensor_type.shape.dim[1].dim_value
    memory = uncalibrated_memory(
        [port.name for port in static.graph.input[1:]], np.eye(1, feature_width, dtype=np.float32)
    )
    try:
        result: onnx.ModelProto = nncf.quantize(
            static,
            nncf.Dataset(list(images), lambda image: {"image": image, **memory}),
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
    # As they were: the calibration's own shapes are no promise.
    for ports, exact_ports in (
        (result.graph.input, model.graph.input),
        (result.graph.output, model.graph.output),
    ):
        del ports[:]
        ports.extend(exact_ports)
    del result.graph.value_info[:]  # Inferred for the shapes of the calibration.
    return result


def _kept_in_float(model: onnx.ModelProto) -> list[str]:
    """The patch embedding, and every node behind the last tap: the head."""
    return ["patch", *(node.name for node in model.graph.node[len(encoder_nodes(model.graph)) :])]
