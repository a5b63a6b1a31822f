"""int8 as TensorRT takes it: every zero point 0, and what stays in float around it in fp16.

The ranges are those that were observed for the CPUs' int8 file, made symmetric: one calibration serves
both. Biases are not quantised, and weights keep a scale per channel.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx
from onnx import numpy_helper, version_converter

from build_engines.precision.float16 import as_float16

# QuantizeLinear takes float16 since 19; an older IR version cannot hold that opset.
_OPSET, _IR_VERSION = 19, 9
_LARGEST = 127


def as_symmetric(model: onnx.ModelProto, kept: Collection[str] = ()) -> onnx.ModelProto:
    """The int8 graph with symmetric ranges and an fp16 rest; inputs and outputs keep their types.

    Args:
        model: of :func:`build_engines.precision.quantize.quantized`; it is not changed.
        kept: names of encoder nodes that stay in float32.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        scale, zero = (numpy_helper.to_array(tensors[name]) for name in node.input[1:3])
        # A node that shares these with one before it finds them symmetric already.
        if zero.dtype != np.int8 or zero.any():
            lowest, highest = (
                (np.float32(end) - zero) * scale
                for end in (np.iinfo(zero.dtype).min, np.iinfo(zero.dtype).max)
            )
            widest = np.asarray(np.maximum(-lowest, highest) / _LARGEST, np.float32)
            tensors[node.input[1]].CopyFrom(numpy_helper.from_array(widest, node.input[1]))
            tensors[node.input[2]].CopyFrom(
                numpy_helper.from_array(np.zeros(zero.shape, np.int8), node.input[2])
            )
    return as_float16(_newer(result), kept)


def _newer(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in :data:`_OPSET`, with the constants that converting adds among its weights."""
    newer = version_converter.convert_version(model, _OPSET)
    newer.ir_version = _IR_VERSION
    added = [node for node in newer.graph.node if node.op_type == "Constant"]
    for node in added:
        value = onnx.TensorProto()
        value.CopyFrom(node.attribute[0].t)
        value.name = node.output[0]
        newer.graph.initializer.append(value)
        newer.graph.node.remove(node)
    return newer
