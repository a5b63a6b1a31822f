"""CLIP's text tower: what sentences say of good and of bad parts, computed once when a bundle is built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from build_engines.graph.numpy_vit import layer_norm, transformer_layer
from build_engines.graph.vit import VitLayerWeights
from edge.errors import SourceError
from edge.image_types import Array
from models.heads.states import ABNORMAL_STATES, NORMAL_STATES, sentences


@dataclass(frozen=True, slots=True)
class TextTower:
    """A causal transformer over tokens; the last one, the end of the text, is the sentence's.

    Attributes:
        embedding: (vocabulary, width).
        positions: (longest text, width).
        layers: from the first to the last.
        final_norm: behind them.
        projection: (width, text width), into the space that the image tower projects into as well.
        heads: attention heads.
        activation: ``gelu`` or ``quick_gelu``.
        epsilon: of every layer norm.
    """

    embedding: Array
    positions: Array
    layers: tuple[VitLayerWeights, ...]
    final_norm: tuple[Array, Array]
    projection: Array
    heads: int
    activation: str
    epsilon: float

    def encode(self, tokens: Sequence[int]) -> Array:
        """The direction of one text, float32 (text width,), of length 1.

        Args:
            tokens: with start and end, no longer than there are positions.
        """
        hidden = self.embedding[list(tokens)] + self.positions[: len(tokens)]
        for layer in self.layers:
            hidden = transformer_layer(hidden, layer, self.heads, self.activation, self.epsilon, causal=True)
        return _unit(layer_norm(hidden[-1], self.final_norm, self.epsilon) @ self.projection)


class ClipTokenizer:
    """Byte-pair encoding as CLIP was trained with: lower case, ``</w>`` at the end of words.

    Args:
        path: ``tokenizer.json`` of the checkpoint, which says all of it.
        longest: number of tokens to which a text is cut, start and end among them.

    Raises:
        SourceError: it is no such file, or the library that reads it is not installed.
    """

    def __init__(self, path: Path, longest: int) -> None:
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise SourceError(
                "A text tower needs the tokenizers library, which is not installed.",
                "Install it: pip install 'anomalygpt-edge[build]'",
            ) from error
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:
            raise SourceError(f"{path} is not a tokenizer.json: {error}.", "Fetch it again.") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(longest)

    def tokens(self, text: str) -> list[int]:
        """The text's tokens, start and end among them."""
        tokens: list[int] = self._tokenizer.encode(text).ids
        return tokens


def state_directions(tower: TextTower, tokenizer: ClipTokenizer) -> Array:
    """(2, text width), of length 1: the mean direction of the normal sentences, then of the abnormal ones."""
    means = [
        np.mean([tower.encode(tokenizer.tokens(sentence)) for sentence in sentences(states)], axis=0)
        for states in (NORMAL_STATES, ABNORMAL_STATES)
    ]
    return np.stack([_unit(mean) for mean in means]).astype(np.float32)


def _unit(vector: Array) -> Array:
    unit: Array = vector / np.linalg.norm(vector)
    return unit
