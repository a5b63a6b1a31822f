"""A text map that nobody trained: an encoder with a text tower says itself what its patches look like.

Only the class token of the last layer was ever compared with texts: what leaves that layer at a patch was
trained for nothing. But the class token is a mixture of the last layer's *values*, so that each patch's own
value, sent the same way into the text space, can be compared with texts (MaskCLIP: Zhou et al., 2022,
"Extract Free Dense Labels from CLIP").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from build_engines.graph.onnx_writer import GraphWriter
from build_engines.graph.text_decoder import difference, share_of_abnormal, write_mean
from build_engines.graph.vit import write_linear, write_norm
from edge.image_types import Array


@dataclass(frozen=True, slots=True)
class OwnText:
    """How a patch is read, from the layer before the last to the text space.

    Attributes:
        tap: which of the graph's taps is the layer before the last, 0 for the first.
        value_norm: the last layer's first norm.
        value: its values and the attention's way out, (width, width) and (width,), as one.
        final_norm: behind the last layer.
        projection: (width, text width), into the text space.
        epsilon: of the norms.
        states: (2, text width), the normal and the abnormal direction, of length 1.
    """

    tap: int
    value_norm: tuple[Array, Array]
    value: tuple[Array, Array]
    final_norm: tuple[Array, Array]
    projection: Array
    epsilon: float
    states: Array


def write_own_text(writer: GraphWriter, taps: Sequence[str], own: OwnText) -> str:
    """Writes ``text``, float32 (batch · patches,): the share of *abnormal* in each patch.

    Args:
        taps: patch tokens (batch, patches, width).
        own: how they are read.
    """
    normed = write_norm(writer, taps[own.tap], own.value_norm, own.epsilon, "text.value_norm")
    value = write_linear(writer, normed, own.value, "text.value")
    final = write_norm(writer, value, own.final_norm, own.epsilon, "text.final_norm")
    inside = writer.node("MatMul", final, writer.constant("text.projection", own.projection))
    return write_mean(writer, [share_of_abnormal(writer, inside, difference(writer, own.states))])


def values_of(qkv: tuple[Array, Array], out: tuple[Array, Array]) -> tuple[Array, Array]:
    """A layer's values and its attention's way out as one linear layer.

    Args:
        qkv: (width, 3 · width) and (3 · width,).
        out: (width, width) and (width,).
    """
    width = out[0].shape[0]
    matrix, bias = qkv[0][:, 2 * width :].astype(np.float64), qkv[1][2 * width :].astype(np.float64)
    joined = matrix @ out[0], bias @ out[0] + out[1]
    return joined[0].astype(np.float32), joined[1].astype(np.float32)
