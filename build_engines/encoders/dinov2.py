"""DINOv2 (Oquab et al., 2023) from a checkpoint of ``transformers``' Dinov2Model, or from its ONNX export.

In ONNX the exporter keeps most weights under their names in the state dict; the matrices of linear
layers it stores transposed under generated names, so they are found through the node that uses
them. ``.../layer.N/attention/attention/query/MatMul`` reads the matrix of that layer's query.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from onnx import numpy_helper
from pydantic import BaseModel

from build_engines.encoders import FamilyTraits
from build_engines.encoders.checkpoint import Checkpoint, joined, read_config, square
from build_engines.graph.numpy_vit import Reference, numpy_reference
from build_engines.graph.own_text import OwnText
from build_engines.graph.vit import VitLayerWeights, VitWeights
from edge.errors import ConfigError, SourceError
from edge.image_types import Array, Image

TRAITS = FamilyTraits(
    pixel_mean=(0.485, 0.456, 0.406),  # ImageNet's.
    pixel_std=(0.229, 0.224, 0.225),
    epsilon=1e-6,
    activation="gelu",
    pre_norm=False,
    patch_bias=True,
)
_HEAD_WIDTH = 64
_NOT_USED = ("embeddings.mask_token", "layernorm.")  # Of training, and behind the last layer.


class _Dinov2Config(BaseModel):
    """What ``config.json`` says that the tensors do not; the defaults are Dinov2Config's."""

    num_attention_heads: int
    hidden_act: Literal["gelu"] = "gelu"
    layer_norm_eps: float = TRAITS.epsilon


def read_weights(files: Mapping[str, Path]) -> VitWeights:
    """See :meth:`build_engines.encoders.Family.read_weights`."""
    if files["weights"].suffix == ".onnx":
        return read_onnx(files["weights"])
    config, checkpoint = read_config(files, _Dinov2Config), Checkpoint(files["weights"])
    class_token = checkpoint.tensor("embeddings.cls_token", 1, 1, -1).reshape(-1)
    width = class_token.size
    positions = checkpoint.tensor("embeddings.position_embeddings", 1, -1, width)[0]
    count = checkpoint.count("encoder.layer.")
    weights = VitWeights(
        patch_weight=checkpoint.tensor("embeddings.patch_embeddings.projection.weight", width, 3, -1, -1),
        patch_bias=checkpoint.tensor("embeddings.patch_embeddings.projection.bias", width),
        class_token=class_token,
        class_position=positions[0],
        patch_positions=square(positions[1:]),
        pre_norm=None,
        layers=tuple(_layer(checkpoint, f"encoder.layer.{number}", width) for number in range(count)),
        heads=config.num_attention_heads,
        activation=config.hidden_act,
        epsilon=config.layer_norm_eps,
        pixel_mean=TRAITS.pixel_mean,
        pixel_std=TRAITS.pixel_std,
    )
    checkpoint.refuse_unknown(_NOT_USED)
    return weights


def reference(files: Mapping[str, Path]) -> Reference:
    """See :meth:`build_engines.encoders.Family.reference`."""
    weights = files["weights"]
    if weights.suffix == ".onnx":
        return Reference("source in ONNX Runtime", lambda image, taps: original_taps(weights, image, taps))
    return numpy_reference(read_weights(files))


def own_text(files: Mapping[str, Path], taps: Sequence[int]) -> OwnText:  # noqa: ARG001 - a family's signature
    """See :meth:`build_engines.encoders.Family.own_text`."""
    raise ConfigError("DINOv2 has no text tower.", "Leave own_text out of the preset.")


def _layer(checkpoint: Checkpoint, name: str, width: int) -> VitLayerWeights:
    parts = (f"{name}.attention.attention.{part}" for part in ("query", "key", "value"))
    attention, attention_bias = checkpoint.linear(f"{name}.attention.output.dense", width, width)
    mlp_in = checkpoint.linear(f"{name}.mlp.fc1", width)
    mlp, mlp_bias = checkpoint.linear(f"{name}.mlp.fc2", mlp_in[1].size, width)
    scale1 = checkpoint.tensor(f"{name}.layer_scale1.lambda1", width)
    scale2 = checkpoint.tensor(f"{name}.layer_scale2.lambda1", width)
    return VitLayerWeights(
        norm1=checkpoint.norm(f"{name}.norm1", width),
        qkv=joined([checkpoint.linear(part, width, width) for part in parts]),
        attention_out=(attention * scale1, attention_bias * scale1),
        norm2=checkpoint.norm(f"{name}.norm2", width),
        mlp_in=mlp_in,
        mlp_out=(mlp * scale2, mlp_bias * scale2),
    )


def read_onnx(path: Path, prefix: str = "backbone") -> VitWeights:
    """Reads the encoder's weights out of an exported ONNX file.

    Args:
        path: the ONNX file; heads that were trained on top of the encoder are ignored.
        prefix: the encoder's name inside the exported module.

    Raises:
        SourceError: the file holds no DINOv2 encoder under that prefix.
    """
    graph = onnx.load(str(path)).graph
    tensors = {t.name: t for t in graph.initializer}
    nodes = {n.name: n for n in graph.node}

    def tensor(name: str) -> Array:
        if name not in tensors:
            raise SourceError(
                f"{path.name} has no weight {name!r}.",
                "It is no ONNX export of a Dinov2Model; check the source.",
            )
        return np.array(numpy_helper.to_array(tensors[name]), np.float32)

    def matrix(node_path: str) -> Array:
        node = nodes.get(f"/{prefix}/{node_path}/MatMul")
        if node is None:
            raise SourceError(
                f"{path.name} has no node {node_path!r}.",
                "It is no ONNX export of a Dinov2Model; check the source.",
            )
        return tensor(next(i for i in node.input if i in tensors))

    def layer(number: int) -> VitLayerWeights:
        name, node = f"{prefix}.encoder.layer.{number}", f"encoder/layer.{number}"
        parts = ("query", "key", "value")
        scale1 = tensor(f"{name}.layer_scale1.lambda1")
        scale2 = tensor(f"{name}.layer_scale2.lambda1")
        return VitLayerWeights(
            norm1=(tensor(f"{name}.norm1.weight"), tensor(f"{name}.norm1.bias")),
            qkv=(
                np.concatenate([matrix(f"{node}/attention/attention/{p}") for p in parts], axis=1),
                np.concatenate([tensor(f"{name}.attention.attention.{p}.bias") for p in parts]),
            ),
            attention_out=(
                matrix(f"{node}/attention/output/dense") * scale1,
                tensor(f"{name}.attention.output.dense.bias") * scale1,
            ),
            norm2=(tensor(f"{name}.norm2.weight"), tensor(f"{name}.norm2.bias")),
            mlp_in=(matrix(f"{node}/mlp/fc1"), tensor(f"{name}.mlp.fc1.bias")),
            mlp_out=(matrix(f"{node}/mlp/fc2") * scale2, tensor(f"{name}.mlp.fc2.bias") * scale2),
        )

    layers = 1 + max(int(n.split("layer.")[1].split("/")[0]) for n in nodes if "/encoder/layer." in n)
    width = tensor(f"{prefix}.embeddings.cls_token").size
    class_position, patch_positions = _positions(graph, tensors, prefix, width, path)
    return VitWeights(
        patch_weight=tensor(f"{prefix}.embeddings.patch_embeddings.projection.weight"),
        patch_bias=tensor(f"{prefix}.embeddings.patch_embeddings.projection.bias"),
        class_token=tensor(f"{prefix}.embeddings.cls_token").reshape(width),
        class_position=class_position,
        patch_positions=patch_positions,
        pre_norm=None,
        layers=tuple(layer(number) for number in range(layers)),
        heads=width // _HEAD_WIDTH,
        activation=TRAITS.activation,
        epsilon=TRAITS.epsilon,
        pixel_mean=TRAITS.pixel_mean,
        pixel_std=TRAITS.pixel_std,
    )


def original_taps(path: Path, image: Image, taps: Sequence[int], prefix: str = "backbone") -> list[Array]:
    """The taps as the file's own graph computes them in ONNX Runtime: the reference for parity.

    Args:
        path: the ONNX file that :func:`read_onnx` reads.
        image: uint8 (H, W, 3), BGR, at the size to compute at.
        taps: layers, 0 for the first.

    Returns:
        Patch tokens, float32 (patches, width), per tap.
    """
    import onnxruntime

    model = onnx.load(str(path))
    names = [f"/{prefix}/encoder/layer.{tap}/Add_1_output_0" for tap in taps]
    del model.graph.output[:]
    for name in names:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    entry = model.graph.input[0]
    height, width = image.shape[:2]
    for dimension, size in zip(entry.type.tensor_type.shape.dim[2:], (height, width), strict=True):
        dimension.dim_value = size
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    rgb = image[:, :, ::-1].astype(np.float32) / 255
    pixels = (rgb - np.array(TRAITS.pixel_mean, np.float32)) / np.array(TRAITS.pixel_std, np.float32)
    outputs = session.run(names, {entry.name: pixels.transpose(2, 0, 1)[None].astype(np.float32)})
    return [output[0, 1:] for output in outputs]


def _positions(
    graph: onnx.GraphProto, tensors: dict[str, onnx.TensorProto], prefix: str, width: int, path: Path
) -> tuple[Array, Array]:
    """The class token's position and the patches' grid.

    The exporter split the table in two and gave both halves generated names: one feeds the Concat
    that ends in ``embeddings/Add``, the other the Reshape in front of the Resize.
    """
    produced = {output: node for node in graph.node for output in node.output}
    add = next((n for n in graph.node if n.name == f"/{prefix}/embeddings/Add"), None)
    concat = produced.get(add.input[1]) if add else None
    names = [] if concat is None else [n for n in concat.input if n in tensors]
    grids = [
        name
        for node in graph.node
        if node.op_type == "Reshape" and node.name.startswith(f"/{prefix}/embeddings/")
        for name in node.input
        if name in tensors and list(tensors[name].dims)[-1:] == [width]
    ]
    if len(names) != 1 or len(grids) != 1:
        raise SourceError(f"{path.name} has no position table.", "It is no ONNX export of a Dinov2Model.")
    grid = numpy_helper.to_array(tensors[grids[0]])
    side = math.isqrt(grid.shape[1])
    class_position = numpy_helper.to_array(tensors[names[0]]).reshape(width)
    return class_position.astype(np.float32), grid.reshape(side, side, width).astype(np.float32)
