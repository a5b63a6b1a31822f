"""Where the prompt learner starts: rows near the language model's own words for what they mean.

A row that begins as the embedding of *left* where the reader reads *left* is understood from the
first step; training moves it to where the frozen model answers best.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from edge.facts import COUNTS, PLACES, SHAPES, SIZES
from models.prompt_learner import BASE_ROWS, PROMPT_ROWS, PromptLearner

Embed = Callable[[str], torch.Tensor]
"""The mean embedding of a text's tokens, (width,)."""

_BASE = "the report of the station about the anomalies of this part :"

_COUNT, _PLACE, _PLACES, _SIZE, _SHAPE = 7, 10, 19, 28, 31
"""Where each group of slots begins; see :func:`models.reader.slots`."""


def start_from_words(learner: PromptLearner, embed: Embed) -> None:
    """Sets a new prompt learner's rows to words; what no word fits stays small."""
    scale = float(learner.scale)
    weight = torch.randn(PROMPT_ROWS, learner.width, learner.prompt.in_features) * 0.02
    bias = torch.randn(PROMPT_ROWS, learner.width) * 0.02

    def put(row: int, slot: int, text: str, share: float = 1.0) -> None:
        weight[row, :, slot] += share * embed(f" {text}") / scale

    put(0, 0, "Yes anomaly")
    put(0, 1, "No anomaly")
    for i, word in enumerate(COUNTS):
        put(1, _COUNT + i, word)
    put(1, 1, "none")
    for i, word in enumerate(SIZES):
        put(2, _SIZE + i, word.split("-", maxsplit=1)[0])
    for i, word in enumerate(SHAPES):
        put(3, _SHAPE + i, word)
    for i, place in enumerate(PLACES):
        vertical, horizontal = ("top", "middle", "bottom")[i // 3], ("left", "center", "right")[i % 3]
        put(4, _PLACE + i, vertical)
        put(5, _PLACE + i, horizontal)
        put(6, _PLACE + i, place)
        put(7, _PLACES + i, place, 0.5)
    for i, word in enumerate(("doubt", "fairly", "very sure")):
        put(8, 4 + i, word)
    with torch.no_grad():
        learner.prompt.weight.copy_(weight.reshape(-1, learner.prompt.in_features))
        learner.prompt.bias.copy_(bias.reshape(-1))
        learner.image.weight.mul_(0.1)
        words = _BASE.split()[:BASE_ROWS]
        for i, word in enumerate(words):
            learner.base[i] = embed(f" {word}") / scale
        learner.base[len(words) :] *= 0.5
