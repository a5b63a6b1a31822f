"""A vision transformer as an ONNX graph, from nothing but its weights.

One writer serves every family (DINOv2, CLIP): a family's module reads its checkpoint into
:class:`VitWeights`, and what differs between families is a field here. Layers above the highest
tap are not written, and so never computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from build_engines.graph.onnx_writer import GraphWriter
from edge.image_types import Array


@dataclass(frozen=True, slots=True)
class VitLayerWeights:
    """One pre-norm transformer layer; matrices are stored as (in, out).

    Layer scale, where a family has it, is already multiplied into ``attention_out`` and ``mlp_out``.
    """

    norm1: tuple[Array, Array]
    qkv: tuple[Array, Array]
    attention_out: tuple[Array, Array]
    norm2: tuple[Array, Array]
    mlp_in: tuple[Array, Array]
    mlp_out: tuple[Array, Array]


@dataclass(frozen=True, slots=True)
class VitWeights:
    """A vision transformer's weights and the constants of its family.

    Attributes:
        patch_weight: (width, 3, patch, patch), for RGB input.
        patch_bias: (width,); zeros where the family has none.
        class_token: (width,).
        class_position: (width,).
        patch_positions: (grid, grid, width), at the resolution it was trained at.
        pre_norm: layer norm before the first layer (CLIP), or None.
        layers: from the first to the last.
        heads: attention heads.
        activation: ``gelu`` or ``quick_gelu``.
        epsilon: of every layer norm.
        pixel_mean, pixel_std: of RGB values in 0..1.
    """

    patch_weight: Array
    patch_bias: Array
    class_token: Array
    class_position: Array
    patch_positions: Array
    pre_norm: tuple[Array, Array] | None
    layers: tuple[VitLayerWeights, ...]
    heads: int
    activation: str
    epsilon: float
    pixel_mean: tuple[float, float, float]
    pixel_std: tuple[float, float, float]

    @property
    def patch(self) -> int:
        """Side of a patch in pixels."""
        return int(self.patch_weight.shape[-1])

    @property
    def width(self) -> int:
        """Length of a token."""
        return int(self.patch_weight.shape[0])


def interpolated_positions(positions: Array, rows: int, columns: int) -> Array:
    """Position embeddings (grid, grid, width) at another grid: bicubic, a = -0.75, half-pixel centres.

    The same arithmetic as ``torch.nn.functional.interpolate(mode="bicubic")`` and as the ONNX
    operator Resize, so that any input size that is a multiple of the patch can be written.
    """
    if positions.shape[:2] == (rows, columns):
        return positions
    down = _cubic_matrix(positions.shape[0], rows)
    right = _cubic_matrix(positions.shape[1], columns)
    resized: Array = np.einsum("ri,ijw,cj->rcw", down, positions, right, optimize=True).astype(np.float32)
    return resized


def _cubic_matrix(source: int, target: int) -> Array:
    """(target, source) weights of one-dimensional bicubic interpolation with clamped edges."""
    a = -0.75
    centres = (np.arange(target) + 0.5) * source / target - 0.5
    weights = np.zeros((target, source))
    for row, centre in enumerate(centres):
        first = math.floor(centre) - 1
        for column in range(first, first + 4):
            d = abs(centre - column)
            if d <= 1:
                w = (a + 2) * d**3 - (a + 3) * d**2 + 1
            else:
                w = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
            weights[row, min(max(column, 0), source - 1)] += w
    return weights.astype(np.float32)


def write_preprocessing(writer: GraphWriter, image: str, vit: VitWeights) -> str:
    """From the camera's uint8 (batch, H, W, 1 or 3), BGR, to patch embeddings (batch, width, rows, columns).

    A grey image is repeated over the channels by broadcasting. Channel order, scaling to 0..1 and
    normalisation are folded into the patch convolution, which is exact since nothing is padded.
    """
    pixels = writer.node("Cast", image, to=1, name="pixels")
    bgr = writer.node("Expand", pixels, writer.ints(1, 1, 1, 3), name="bgr")
    planar = writer.node("Transpose", bgr, perm=[0, 3, 1, 2], name="planar")
    std = np.array(vit.pixel_std)[:, None, None]
    mean = np.array(vit.pixel_mean)[:, None, None]
    scaled = vit.patch_weight / (255.0 * std)
    bias = vit.patch_bias - (vit.patch_weight * (mean / std)).sum(axis=(1, 2, 3))
    return writer.node(
        "Conv",
        planar,
        writer.constant("patch.weight", scaled[:, ::-1].astype(np.float32)),
        writer.constant("patch.bias", bias.astype(np.float32)),
        name="patch",
        kernel_shape=[vit.patch, vit.patch],
        strides=[vit.patch, vit.patch],
    )


def write_encoder(
    writer: GraphWriter, image: str, vit: VitWeights, size: tuple[int, int], taps: Sequence[int]
) -> list[str]:
    """Writes the encoder up to its highest tap, for any number of images at once.

    Args:
        image: name of the uint8 input (batch, H, W, 1 or 3).
        size: (H, W) in pixels, multiples of the patch.
        taps: layer numbers, 0 for the first layer's output.

    Returns:
        One name per tap: patch tokens (batch, rows · columns, width) as they leave that layer.
    """
    rows, columns = size[0] // vit.patch, size[1] // vit.patch
    patches = write_preprocessing(writer, image, vit)
    flat = writer.node("Reshape", patches, writer.ints(0, vit.width, rows * columns))
    tokens = writer.node("Transpose", flat, perm=[0, 2, 1])
    # The class token comes in with the positions: a constant cannot be repeated over a batch that is free.
    tokens = writer.node("Pad", tokens, writer.ints(0, 1, 0, 0, 0, 0))
    tokens = writer.node("Add", tokens, writer.constant("positions", _positions(vit, rows, columns)))
    if vit.pre_norm is not None:
        tokens = write_norm(writer, tokens, vit.pre_norm, vit.epsilon, "pre_norm")
    outputs: dict[int, str] = {}
    for number, layer in enumerate(vit.layers[: max(taps) + 1]):
        tokens = _layer(writer, tokens, layer, vit, f"layer.{number}")
        if number in taps:
            outputs[number] = writer.node(
                "Slice",
                tokens,
                writer.ints(1),
                writer.ints(1 + rows * columns),
                writer.ints(1),
                name=f"tap.{number}",
            )
    return [outputs[tap] for tap in taps]


def _positions(vit: VitWeights, rows: int, columns: int) -> Array:
    """(1, 1 + rows · columns, width): what each token gets; to the class token it is all."""
    patches = interpolated_positions(vit.patch_positions, rows, columns).reshape(rows * columns, vit.width)
    return np.concatenate([(vit.class_token + vit.class_position)[None], patches])[None]


def _layer(writer: GraphWriter, tokens: str, layer: VitLayerWeights, vit: VitWeights, name: str) -> str:
    normed = write_norm(writer, tokens, layer.norm1, vit.epsilon, f"{name}.norm1")
    attended = _attention(writer, normed, layer, vit, f"{name}.attention")
    tokens = writer.node("Add", tokens, attended, name=f"{name}.add1")
    normed = write_norm(writer, tokens, layer.norm2, vit.epsilon, f"{name}.norm2")
    hidden = write_linear(writer, normed, layer.mlp_in, f"{name}.mlp.in")
    hidden = _activation(writer, hidden, vit.activation, f"{name}.mlp.activation")
    hidden = write_linear(writer, hidden, layer.mlp_out, f"{name}.mlp.out")
    return writer.node("Add", tokens, hidden, name=f"{name}.add2")


def _attention(writer: GraphWriter, tokens: str, layer: VitLayerWeights, vit: VitWeights, name: str) -> str:
    per_head = vit.width // vit.heads
    qkv = write_linear(writer, tokens, layer.qkv, f"{name}.qkv")
    qkv = writer.node("Reshape", qkv, writer.ints(0, 0, 3, vit.heads, per_head))
    qkv = writer.node("Transpose", qkv, perm=[2, 0, 3, 1, 4])
    parts = writer.node("Split", qkv, axis=0, outputs=3, name=f"{name}.split")
    query, key, value = (
        writer.node("Squeeze", part, writer.ints(0)) for part in (parts, f"{parts}_1", f"{parts}_2")
    )
    scale = writer.constant("attention.scale", np.array(per_head**-0.5, np.float32))
    query = writer.node("Mul", query, scale)
    key = writer.node("Transpose", key, perm=[0, 1, 3, 2])
    weights = writer.node("Softmax", writer.node("MatMul", query, key, name=f"{name}.scores"), axis=-1)
    mixed = writer.node("MatMul", weights, value, name=f"{name}.mix")
    mixed = writer.node("Transpose", mixed, perm=[0, 2, 1, 3])
    mixed = writer.node("Reshape", mixed, writer.ints(0, 0, vit.width))
    return write_linear(writer, mixed, layer.attention_out, f"{name}.out")


def write_linear(writer: GraphWriter, tokens: str, weights: tuple[Array, Array], name: str) -> str:
    """Writes a linear layer: (…, in) to (…, out)."""
    matrix, bias = weights
    product = writer.node("MatMul", tokens, writer.constant(f"{name}.weight", matrix), name=f"{name}.matmul")
    return writer.node("Add", product, writer.constant(f"{name}.bias", bias), name=name)


def write_norm(
    writer: GraphWriter, tokens: str, weights: tuple[Array, Array], epsilon: float, name: str
) -> str:
    """Writes a layer norm over the last axis."""
    return writer.node(
        "LayerNormalization",
        tokens,
        writer.constant(f"{name}.weight", weights[0]),
        writer.constant(f"{name}.bias", weights[1]),
        name=name,
        axis=-1,
        epsilon=epsilon,
    )


def _activation(writer: GraphWriter, tokens: str, kind: str, name: str) -> str:
    if kind == "quick_gelu":
        gate = writer.node("Mul", tokens, writer.constant("quick_gelu", np.array(1.702, np.float32)))
        return writer.node("Mul", tokens, writer.node("Sigmoid", gate), name=name)
    scaled = writer.node("Div", tokens, writer.constant("sqrt_2", np.array(math.sqrt(2), np.float32)))
    one = writer.node("Add", writer.node("Erf", scaled), writer.constant("one", np.array(1, np.float32)))
    half = writer.node("Mul", tokens, writer.constant("half", np.array(0.5, np.float32)))
    return writer.node("Mul", half, one, name=name)
