"""The language model that ships, frozen in torch, so that prompt embeddings can be trained through it.

The words before a part's embeddings are the same for all parts: their keys and values are computed once
(:meth:`FrozenLlama.prefix`). What comes after may be a tree: several dialogues share rows and branch, each
position says in ``mask`` what it sees and in ``positions`` where it stands in its own dialogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.dialogue.llama_weights import Dimensions, LlamaLayerWeights, LlamaWeights, Matrix


@dataclass(frozen=True, slots=True)
class Prefix:
    """What every position sees of the words before: keys and values.

    Attributes:
        keys, values: of each layer, (key_heads, P, head_width), or (B, key_heads, P, head_width) where
            each dialogue of a batch has its own; keys are rotated to their positions.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]

    def __len__(self) -> int:
        """P, which is the first position after it."""
        return self.keys[0].shape[-2]


class FrozenLlama(torch.nn.Module):
    """A llama whose weights are constants: gradients reach the embeddings that enter it, nothing else.

    Args:
        weights: dequantized.
        dtype: of the matrix products and of attention: float32, or bfloat16, which is faster where the
            processor has it. The residual stream, norms and logits are float32 either way.
    """

    def __init__(self, weights: LlamaWeights, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.dimensions = weights.dimensions
        self.dtype = dtype
        self.layers = torch.nn.ModuleList(
            _Layer(layer, weights.dimensions, dtype) for layer in weights.layers
        )
        self.norm = _constant(weights.norm, torch.float32)
        self.tokens = _constant(weights.tokens, torch.float32)
        self.wavenumbers = _constant(_wavenumbers(weights.dimensions), torch.float32)

    @classmethod
    def from_gguf(cls, path: Path, dtype: torch.dtype = torch.float32) -> FrozenLlama:
        """Reads a GGUF of the llama architecture.

        Raises:
            LanguageError: the file cannot be read or is not a plain llama.
        """
        return cls(LlamaWeights.read(path), dtype)

    def embed(self, ids: Tensor) -> Tensor:
        """The embeddings of tokens: integers (...) to float32 (..., width)."""
        return F.embedding(ids, self.tokens)

    @torch.no_grad()
    def prefix(self, ids: Tensor) -> Prefix:
        """Reads the words that every dialogue begins with: integers (P,)."""
        count = len(ids)
        mask = torch.ones(1, count, count, dtype=torch.bool).tril()
        _, keys, values = self._read(self.embed(ids)[None], torch.arange(count)[None], mask, None)
        return Prefix(tuple(key[0] for key in keys), tuple(value[0] for value in values))

    def extended(self, prefix: Prefix, rows: Tensor) -> Prefix:
        """A prefix with rows (count, width) behind it; gradients reach the rows."""
        count = len(rows)
        mask = torch.ones(1, count, count, dtype=torch.bool).tril()
        positions = torch.arange(len(prefix), len(prefix) + count)[None]
        _, keys, values = self._read(rows[None], positions, mask, prefix)
        return Prefix(tuple(key[0] for key in keys), tuple(value[0] for value in values))

    def forward(
        self, embeddings: Tensor, positions: Tensor, mask: Tensor, prefix: Prefix | None = None
    ) -> Tensor:
        """Reads rows after a prefix, of which every one sees all.

        Args:
            embeddings: (B, T, width), on the scale of :meth:`embed`.
            positions: integers (B, T), each row's place in its own dialogue; ``len(prefix)`` is the first.
            mask: bool (B, T, T), whether row i sees row j. A row that sees nothing must see itself.
            prefix: what :meth:`prefix` made of this model; None where the rows are the whole dialogue.

        Returns:
            float32 (B, T, width), for :meth:`logits`.
        """
        return self.read_on(embeddings, positions, mask, prefix)[0]

    def read_on(
        self, embeddings: Tensor, positions: Tensor, mask: Tensor, prefix: Prefix | None = None
    ) -> tuple[Tensor, Prefix]:
        """As :meth:`forward`, and the prefix with these rows behind it, for rows that come after them.

        ``mask`` may begin with columns for the last rows of the prefix: (B, T, n + T); the rows of the
        prefix before them are seen by all.
        """
        hidden, keys, values = self._read(embeddings, positions, mask, prefix)
        return hidden, Prefix(tuple(keys), tuple(values))

    def logits(self, hidden: Tensor) -> Tensor:
        """What each of the chosen rows expects next: (..., width) to float32 (..., vocabulary).

        Choose the rows first: for all of a batch the vocabulary costs as much as the model.
        """
        normed = F.rms_norm(hidden, self.norm.shape, self.norm, self.dimensions.epsilon)
        return F.linear(normed, self.tokens)

    def _read(
        self, embeddings: Tensor, positions: Tensor, mask: Tensor, prefix: Prefix | None
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """The hidden rows, and each layer's keys and values: (B, key_heads, prefix + T, head_width)."""
        angles = positions[..., None, None] * self.wavenumbers
        cos, sin = angles.cos().to(self.dtype), angles.sin().to(self.dtype)
        if prefix is not None:
            told = mask.shape[2] - mask.shape[1]
            mask = F.pad(mask, (len(prefix) - told, 0), value=True)
        bias = torch.zeros(mask.shape, dtype=self.dtype).masked_fill_(~mask, -torch.inf)[:, None]
        hidden, keys, values = embeddings.float(), [], []
        for number, layer in enumerate(self.layers):
            before = None if prefix is None else (prefix.keys[number], prefix.values[number])
            hidden, key, value = layer(hidden, cos, sin, bias, before)
            keys.append(key)
            values.append(value)
        return hidden, keys, values


class _Layer(torch.nn.Module):
    def __init__(self, weights: LlamaLayerWeights, dimensions: Dimensions, dtype: torch.dtype) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.qkv = _constant(weights.qkv, dtype)
        self.out = _constant(weights.out, dtype)
        self.gate_up = _constant(weights.gate_up, dtype)
        self.down = _constant(weights.down, dtype)

    def forward(
        self, hidden: Tensor, cos: Tensor, sin: Tensor, bias: Tensor, before: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        attended, key, value = self._attention(self._normed(hidden), cos, sin, bias, before)
        hidden = hidden + attended
        gated = _Gated.apply(F.linear(self._normed(hidden), self.gate_up))
        return hidden + F.linear(gated, self.down), key, value

    def _normed(self, hidden: Tensor) -> Tensor:
        return F.rms_norm(hidden, hidden.shape[-1:], eps=self.dimensions.epsilon).to(self.qkv.dtype)

    def _attention(
        self, normed: Tensor, cos: Tensor, sin: Tensor, bias: Tensor, before: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        heads, key_heads = self.dimensions.heads, self.dimensions.key_heads
        batch, rows, _ = normed.shape
        qkv = F.linear(normed, self.qkv).view(batch, rows, heads + 2 * key_heads, -1)
        rotated = _Rotation.apply(qkv[:, :, : heads + key_heads], cos, sin).transpose(1, 2)
        query, key = rotated[:, :heads], rotated[:, heads:]
        value = qkv[:, :, heads + key_heads :].transpose(1, 2)
        if before is not None:
            key, value = (
                torch.cat([old.expand(batch, -1, -1, -1), new], dim=2)
                for old, new in zip(before, (key, value), strict=True)
            )
        attended = F.scaled_dot_product_attention(query, key, value, bias, enable_gqa=True)
        return F.linear(attended.transpose(1, 2).reshape(batch, rows, -1), self.out), key, value


class _Rotation(torch.autograd.Function):
    """Rotary positions; a pair's two numbers lie half a head apart."""

    @staticmethod
    def forward(ctx: Any, heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """(B, T, heads, head_width) by angles of (B, T, 1, head_width/2)."""
        ctx.save_for_backward(cos, sin)
        return _rotated(heads, cos, sin)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """The inverse of a rotation is its transpose."""
        cos, sin = ctx.saved_tensors
        return _rotated(gradient, cos, -sin), None, None


class _Gated(torch.autograd.Function):
    """SwiGLU, which keeps its input alone and not four products of it."""

    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        """(..., 2·hidden) to (..., hidden)."""
        ctx.save_for_backward(gate_up)
        gate, up = gate_up.chunk(2, dim=-1)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """With s = sigmoid(g): d silu(g)/dg = s + silu(g)·(1 - s)."""
        (gate_up,) = ctx.saved_tensors
        gate, up = gate_up.chunk(2, dim=-1)
        result = torch.empty_like(gate_up)
        to_gate, to_up = result.chunk(2, dim=-1)
        torch.mul(gradient, up, out=to_up)
        torch.ops.aten.silu_backward(to_up, gate, grad_input=to_gate)
        torch.mul(gradient, F.silu(gate), out=to_up)
        return result


def _rotated(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = heads.chunk(2, dim=-1)
    result = torch.empty_like(heads, memory_format=torch.contiguous_format)
    to_first, to_second = result.chunk(2, dim=-1)
    torch.mul(first, cos, out=to_first).addcmul_(second, sin, value=-1)
    torch.mul(second, cos, out=to_second).addcmul_(first, sin)
    return result


def _wavenumbers(dimensions: Dimensions) -> Matrix:
    """Radians per position of each rotary pair: (head_width/2,)."""
    exponents = np.arange(0, dimensions.head_width, 2) / dimensions.head_width
    return (dimensions.rope_base**-exponents).astype(np.float32)


def _constant(array: Matrix, dtype: torch.dtype) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor(array, dtype=dtype), requires_grad=False)
