"""The weights of a GGUF of the llama architecture, dequantized and laid out for matrix products.

What llama.cpp runs on a station is this very file, so what is trained through these weights holds there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edge.errors import LanguageError

if TYPE_CHECKING:
    from gguf import GGUFReader

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Dimensions:
    """The numbers of a llama.

    Attributes:
        layers: how many.
        width: of the residual stream and of an embedding row.
        heads: of queries.
        key_heads: of keys and values; each serves ``heads // key_heads`` query heads.
        head_width: of one head.
        hidden: between the two halves of a feed-forward part.
        vocabulary: tokens.
        rope_base: the longest rotary wavelength is about 2π times this, in positions.
        epsilon: added to the mean square that RMSNorm divides by.
    """

    layers: int
    width: int
    heads: int
    key_heads: int
    head_width: int
    hidden: int
    vocabulary: int
    rope_base: float
    epsilon: float


@dataclass(frozen=True, slots=True)
class LlamaLayerWeights:
    """One layer. RMSNorm's gains are multiplied into the matrices that read what it normalised.

    Attributes:
        qkv: (heads·head_width + 2·key_heads·head_width, width): queries, keys, values, the first two
            with a head's rotary pairs half a head apart.
        out: (width, heads·head_width).
        gate_up: (2·hidden, width): the gate, then what it gates.
        down: (width, hidden).
    """

    qkv: Matrix
    out: Matrix
    gate_up: Matrix
    down: Matrix


@dataclass(frozen=True, slots=True)
class LlamaWeights:
    """A whole model, float32.

    Attributes:
        dimensions: its numbers.
        layers: from the first to the last.
        norm: (width,), the gain of the last RMSNorm.
        tokens: (vocabulary, width), read as embeddings and as the output matrix.
    """

    dimensions: Dimensions
    layers: tuple[LlamaLayerWeights, ...]
    norm: Matrix
    tokens: Matrix

    @classmethod
    def read(cls, path: Path) -> LlamaWeights:
        """Reads and dequantizes a file; about a second for 135 million weights.

        Raises:
            LanguageError: the file cannot be read, is of another architecture, or has parts that
                would change the result and are not implemented here.
        """
        from gguf import GGUFReader

        try:
            reader = GGUFReader(path)
        except (OSError, ValueError) as error:
            raise LanguageError(f"{path} cannot be read as a GGUF: {error}.") from error
        dimensions = _dimensions(reader, path)
        tensors = {tensor.name: tensor for tensor in reader.tensors}
        _refuse_unknown(set(tensors), dimensions.layers, path)
        layers = tuple(_layer(tensors, number, dimensions) for number in range(dimensions.layers))
        norm, tokens = (_dequantized(tensors[name]) for name in ("output_norm.weight", "token_embd.weight"))
        return cls(dimensions, layers, norm, tokens)


_LAYER_TENSORS = (
    "attn_norm",
    "attn_q",
    "attn_k",
    "attn_v",
    "attn_output",
    "ffn_norm",
    "ffn_gate",
    "ffn_up",
    "ffn_down",
)


def _dimensions(reader: GGUFReader, path: Path) -> Dimensions:
    def value(key: str) -> Any:
        field = reader.get_field(key)
        if field is None:
            raise LanguageError(f"{path.name} does not say its {key}.")
        return field.contents()

    architecture = value("general.architecture")
    if architecture != "llama":
        raise LanguageError(
            f"{path.name} is {architecture}; prompts can only be trained through llama.",
            "Use a GGUF whose general.architecture is llama.",
        )
    width, heads = value("llama.embedding_length"), value("llama.attention.head_count")
    return Dimensions(
        layers=value("llama.block_count"),
        width=width,
        heads=heads,
        key_heads=value("llama.attention.head_count_kv"),
        head_width=width // heads,
        hidden=value("llama.feed_forward_length"),
        vocabulary=value("llama.vocab_size"),
        rope_base=value("llama.rope.freq_base"),
        epsilon=value("llama.attention.layer_norm_rms_epsilon"),
    )


def _refuse_unknown(found: set[str], layers: int, path: Path) -> None:
    """Biases, scaled frequencies or an output matrix of its own would be left out without a word."""
    expected = {f"blk.{layer}.{name}.weight" for layer in range(layers) for name in _LAYER_TENSORS}
    expected |= {"token_embd.weight", "output_norm.weight"}
    if found != expected:
        names = ", ".join(sorted(found ^ expected)[:5])
        raise LanguageError(
            f"{path.name} is not a plain llama with tied embeddings: it differs in {names}.",
            "Use a GGUF like SmolLM2's.",
        )


def _layer(tensors: dict[str, Any], number: int, dimensions: Dimensions) -> LlamaLayerWeights:
    norm1, q, k, v, out, norm2, gate, up, down = (
        _dequantized(tensors[f"blk.{number}.{name}.weight"]) for name in _LAYER_TENSORS
    )
    q, k = (_half_apart(matrix, dimensions.head_width) for matrix in (q, k))
    return LlamaLayerWeights(
        qkv=np.concatenate([q, k, v]) * norm1,
        out=out,
        gate_up=np.concatenate([gate, up]) * norm2,
        down=down,
    )


def _half_apart(matrix: Matrix, head_width: int) -> Matrix:
    """Rotary pairs as (i, i + head_width/2): llama.cpp keeps a pair's two rows side by side."""
    rows, width = matrix.shape
    pairs = matrix.reshape(rows // head_width, head_width // 2, 2, width)
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(rows, width)


def _dequantized(tensor: Any) -> Matrix:
    from gguf import dequantize

    return np.asarray(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
