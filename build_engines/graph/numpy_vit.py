"""The encoder's definition once more, in plain numpy: what the graph is held against.

Nothing of what writes the graph is used here but the interpolation of positions: pixels are normalised before
the patches are cut, the class token is put in front, and every layer is computed step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from build_engines.graph.vit import VitLayerWeights, VitWeights, interpolated_positions
from edge.image_types import Array, Image


@dataclass(frozen=True, slots=True)
class Reference:
    """Something that computes an encoder's taps in another way than the graph does.

    Attributes:
        name: what it is, for the manifest.
        taps: from uint8 (H, W, 3), BGR, and layer numbers to patch tokens, float32 (patches, width) each.
    """

    name: str
    taps: Callable[[Image, Sequence[int]], list[Array]]


def numpy_reference(vit: VitWeights) -> Reference:
    """The reference for weights that come without a graph of their own."""
    return Reference("numpy forward of the source's weights", lambda image, taps: vit_taps(vit, image, taps))


def vit_taps(vit: VitWeights, image: Image, taps: Sequence[int]) -> list[Array]:
    """The taps of one image.

    Args:
        vit: the weights.
        image: uint8 (H, W, 3), BGR, sides multiples of the patch.
        taps: layers, 0 for the first.

    Returns:
        Patch tokens, float32 (patches, width), per tap.
    """
    rows, columns = image.shape[0] // vit.patch, image.shape[1] // vit.patch
    rgb = image[:, :, ::-1].astype(np.float32) / 255
    pixels = (rgb - np.array(vit.pixel_mean, np.float32)) / np.array(vit.pixel_std, np.float32)
    cells = pixels.reshape(rows, vit.patch, columns, vit.patch, 3).transpose(0, 2, 4, 1, 3)
    patches = cells.reshape(rows * columns, -1) @ vit.patch_weight.reshape(vit.width, -1).T + vit.patch_bias
    patches = patches + interpolated_positions(vit.patch_positions, rows, columns).reshape(-1, vit.width)
    tokens = np.concatenate([(vit.class_token + vit.class_position)[None], patches])
    if vit.pre_norm is not None:
        tokens = layer_norm(tokens, vit.pre_norm, vit.epsilon)
    outputs = {}
    for number, layer in enumerate(vit.layers[: max(taps) + 1]):
        tokens = transformer_layer(tokens, layer, vit.heads, vit.activation, vit.epsilon)
        outputs[number] = tokens[1:]
    return [outputs[tap] for tap in taps]


def transformer_layer(
    tokens: Array, layer: VitLayerWeights, heads: int, activation: str, epsilon: float, causal: bool = False
) -> Array:
    """One pre-norm layer on (tokens, width); with ``causal``, no token sees those behind it."""
    count, width = tokens.shape
    qkv = layer_norm(tokens, layer.norm1, epsilon) @ layer.qkv[0] + layer.qkv[1]
    query, key, value = qkv.reshape(count, 3, heads, width // heads).transpose(1, 2, 0, 3)
    scores = query @ key.transpose(0, 2, 1) / np.sqrt(np.float32(width // heads))
    if causal:
        scores = np.where(np.tri(count, dtype=np.bool_), scores, np.float32(-np.inf))
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ value
    tokens = tokens + mixed.transpose(1, 0, 2).reshape(count, width) @ layer.attention_out[0]
    tokens = tokens + layer.attention_out[1]
    hidden = layer_norm(tokens, layer.norm2, epsilon) @ layer.mlp_in[0] + layer.mlp_in[1]
    out: Array = tokens + _activated(hidden, activation) @ layer.mlp_out[0] + layer.mlp_out[1]
    return out


def layer_norm(tokens: Array, weights: tuple[Array, Array], epsilon: float) -> Array:
    """Each row to mean 0 and variance 1, then times the weight plus the bias."""
    centred = tokens - tokens.mean(axis=-1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(epsilon))
    normed: Array = centred / spread * weights[0] + weights[1]
    return normed


def _activated(hidden: Array, kind: str) -> Array:
    gate = 1 / (1 + np.exp(-1.702 * hidden)) if kind == "quick_gelu" else (1 + _erf(hidden * 0.5**0.5)) / 2
    return np.asarray(hidden * gate, np.float32)


def _erf(x: Array) -> Array:
    """The error function to 1.5e-7 (Abramowitz and Stegun, 1964, formula 7.1.26); numpy has none."""
    t = 1 / (1 + 0.3275911 * np.abs(x))
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.asarray(np.sign(x) * (1 - series * np.exp(-(x**2))), np.float32)
