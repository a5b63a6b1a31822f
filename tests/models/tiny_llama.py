"""A tiny frozen llama of random weights and a tokenizer of words: dialogues in milliseconds."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from models.dialogue.dialogues import Teacher
    from models.dialogue.llm import FrozenLlama
    from models.dialogue.packing import Tokens

WIDTH, HIDDEN, LAYERS, HEADS, KEY_HEADS, VOCABULARY = 24, 32, 2, 4, 2, 1500
MARKUP = ("<|im_start|>", "<|im_end|>")


def tokenize(text: str, markup: bool) -> Tokens:
    """One token per word or sign; markup is markup only where that is asked for."""
    found = re.findall(r"<\|\w+\|>|\w+|\s*[^\w\s]|\n", text)
    return [
        MARKUP.index(word) if markup and word in MARKUP else 2 + zlib.crc32(word.encode()) % (VOCABULARY - 2)
        for word in found
    ]


def tiny_llama(seed: int = 0) -> FrozenLlama:
    """Two layers of width 24."""
    from models.dialogue.llama_weights import Dimensions, LlamaLayerWeights, LlamaWeights
    from models.dialogue.llm import FrozenLlama

    rng = np.random.default_rng(seed)
    head_width = WIDTH // HEADS

    def matrix(rows: int, columns: int) -> np.ndarray:
        return rng.normal(0, columns**-0.5, (rows, columns)).astype(np.float32)

    layers = tuple(
        LlamaLayerWeights(
            qkv=matrix((HEADS + 2 * KEY_HEADS) * head_width, WIDTH),
            out=matrix(WIDTH, HEADS * head_width),
            gate_up=matrix(2 * HIDDEN, WIDTH),
            down=matrix(WIDTH, HIDDEN),
        )
        for _ in range(LAYERS)
    )
    dimensions = Dimensions(
        LAYERS, WIDTH, HEADS, KEY_HEADS, head_width, HIDDEN, VOCABULARY, rope_base=10_000.0, epsilon=1e-5
    )
    tokens = rng.normal(0, 1, (VOCABULARY, WIDTH)).astype(np.float32)
    return FrozenLlama(LlamaWeights(dimensions, layers, np.ones(WIDTH, np.float32), tokens))


def tiny_teacher() -> Teacher:
    """A teacher with one general question and the model's own answer to it."""
    from models.dialogue.dialogues import Teacher

    return Teacher(tiny_llama(), tokenize, [("What is steel?", [777, 778, 1])])
