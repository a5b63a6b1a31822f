"""The language model that ships, frozen, in torch: prompt embeddings are trained through it.

The weights are those of the GGUF itself, dequantized, so that what is learned fits the file that a
station runs. Only the architecture ``llama`` is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edge.errors import LanguageError

Prefix = Sequence[tuple[torch.Tensor, torch.Tensor]]
"""Keys and values of what was read already: per layer two of (1, key heads, length, head width)."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer's matrices as (out, in); queries, keys and values in one, and gate and up in one."""

    attention_norm: torch.Tensor
    qkv: torch.Tensor
    attention_out: torch.Tensor
    mlp_norm: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor


class FrozenLlama(nn.Module):
    """A llama that computes gradients of its inputs, not of itself.

    Args:
        path: the GGUF.
        dtype: of the computation; bfloat16 is twice as fast where the CPU has it.

    Raises:
        LanguageError: the file is of another architecture.
    """

    def __init__(self, path: Path, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        from gguf import GGUFReader, dequantize

        reader = GGUFReader(path)
        architecture = str(_field(reader, "general.architecture"))
        if architecture != "llama":
            raise LanguageError(
                f"{path.name} has the architecture {architecture}; only llama can be trained through.",
                "Choose a GGUF of that architecture, such as SmolLM2.",
            )
        self.width = int(_field(reader, "llama.embedding_length"))
        self._heads = int(_field(reader, "llama.attention.head_count"))
        self._key_heads = int(_field(reader, "llama.attention.head_count_kv"))
        self._head_width = self.width // self._heads
        self._epsilon = float(_field(reader, "llama.attention.layer_norm_rms_epsilon"))
        self._rope_base = float(_field(reader, "llama.rope.freq_base"))
        self._dtype = dtype
        weights = {
            tensor.name: torch.from_numpy(np.array(dequantize(tensor.data, tensor.tensor_type)))
            for tensor in reader.tensors
        }
        self._tokens = weights["token_embd.weight"]
        self._output = weights.get("output.weight", self._tokens).to(dtype)
        self._output_norm = weights["output_norm.weight"].to(dtype)
        count = int(_field(reader, "llama.block_count"))
        self._layers = [self._layer(weights, f"blk.{number}") for number in range(count)]

    @property
    def embedding_scale(self) -> float:
        """The root mean square of the token embeddings."""
        return float(self._tokens.square().mean().sqrt())

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        """The tokens' embeddings, float32 (..., width)."""
        return self._tokens[ids]

    @torch.no_grad()
    def prefix(self, ids: torch.Tensor) -> Prefix:
        """Keys and values of tokens (length,) at the very beginning."""
        return self.extended([], self.embed(ids))

    def extended(self, prefix: Prefix, rows: torch.Tensor) -> Prefix:
        """A prefix with rows, (length, width), behind it; gradients reach the rows."""
        length = len(rows)
        mask = torch.ones(1, length, length, dtype=torch.bool).tril()
        _, new = self._run(rows[None], torch.arange(length)[None], mask, prefix)
        if not prefix:
            return new
        return [
            (torch.cat([keys, more_keys], 2), torch.cat([values, more_values], 2))
            for (keys, values), (more_keys, more_values) in zip(prefix, new, strict=True)
        ]

    def forward(
        self, embeddings: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor, prefix: Prefix = ()
    ) -> torch.Tensor:
        """The last hidden states, (B, T, width).

        Args:
            embeddings: (B, T, width), of tokens or rows.
            positions: (B, T), counted from the prefix's end.
            mask: bool (B, T, T), what each position sees of the T; all see the whole prefix.
            prefix: common to the batch.
        """
        return self._run(embeddings, positions, mask, prefix)[0]

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """(..., vocabulary) float32 of hidden states (..., width)."""
        return functional.linear(hidden, self._output).float()

    def _run(
        self, embeddings: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor, prefix: Prefix
    ) -> tuple[torch.Tensor, Prefix]:
        held = prefix[0][0].shape[2] if prefix else 0
        cosines, sines = self._angles(positions + held)
        sees_prefix = torch.ones(*mask.shape[:2], held, dtype=torch.bool)
        allowed = torch.cat([sees_prefix, mask], dim=2)[:, None]
        bias = torch.zeros(allowed.shape, dtype=self._dtype).masked_fill(~allowed, float("-inf"))
        hidden = embeddings.to(self._dtype)
        new = []
        for number, layer in enumerate(self._layers):
            before = prefix[number] if prefix else None
            attended, keys_values = self._attention(hidden, layer, (cosines, sines), bias, before)
            hidden = hidden + attended
            normed = self._norm(hidden, layer.mlp_norm)
            gate, up = functional.linear(normed, layer.gate_up).chunk(2, -1)
            hidden = hidden + functional.linear(functional.silu(gate) * up, layer.down)
            new.append(keys_values)
        return self._norm(hidden, self._output_norm), new

    def _attention(
        self,
        hidden: torch.Tensor,
        layer: _Layer,
        angles: tuple[torch.Tensor, torch.Tensor],
        bias: torch.Tensor,
        before: tuple[torch.Tensor, torch.Tensor] | None,
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        qkv = functional.linear(self._norm(hidden, layer.attention_norm), layer.qkv)
        by_head = qkv.unflatten(-1, (-1, self._head_width)).transpose(1, 2)
        queries, keys, values = by_head.split([self._heads, self._key_heads, self._key_heads], dim=1)
        queries, keys = _turned(queries, *angles), _turned(keys, *angles)
        new = keys, values
        if before is not None:
            keys = torch.cat([before[0].expand(len(keys), -1, -1, -1), keys], 2)
            values = torch.cat([before[1].expand(len(values), -1, -1, -1), values], 2)
        share = self._heads // self._key_heads
        mixed = functional.scaled_dot_product_attention(
            queries, keys.repeat_interleave(share, 1), values.repeat_interleave(share, 1), attn_mask=bias
        )
        return functional.linear(mixed.transpose(1, 2).flatten(2), layer.attention_out), new

    def _norm(self, hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return functional.rms_norm(hidden, (self.width,), weight, self._epsilon)

    def _angles(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosines and sines of the rotary embedding, each (B, 1, T, head width / 2)."""
        steps = torch.arange(0, self._head_width, 2, dtype=torch.float32) / self._head_width
        angles = positions.float()[:, None, :, None] / self._rope_base**steps
        return angles.cos().to(self._dtype), angles.sin().to(self._dtype)

    def _layer(self, weights: dict[str, torch.Tensor], name: str) -> _Layer:
        def of(part: str) -> torch.Tensor:
            return weights[f"{name}.{part}.weight"]

        qkv = torch.cat([self._in_halves(of("attn_q")), self._in_halves(of("attn_k")), of("attn_v")])
        return _Layer(
            attention_norm=of("attn_norm").to(self._dtype),
            qkv=qkv.to(self._dtype).contiguous(),
            attention_out=of("attn_output").to(self._dtype),
            mlp_norm=of("ffn_norm").to(self._dtype),
            gate_up=torch.cat([of("ffn_gate"), of("ffn_up")]).to(self._dtype).contiguous(),
            down=of("ffn_down").to(self._dtype),
        )

    def _in_halves(self, matrix: torch.Tensor) -> torch.Tensor:
        """llama.cpp turns neighbouring pairs; here the pairs of each head are its two halves."""
        heads = matrix.view(-1, self._head_width // 2, 2, matrix.shape[1])
        return heads.transpose(1, 2).reshape(matrix.shape)


def _turned(heads: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor) -> torch.Tensor:
    first, second = heads.chunk(2, -1)
    return torch.cat([first * cosines - second * sines, first * sines + second * cosines], -1)


def _field(reader: Any, key: str) -> Any:
    return reader.fields[key].contents()
