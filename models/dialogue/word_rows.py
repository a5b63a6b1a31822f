"""Where the prompt learner starts: rows near the language model's own words for what they mean.

A row that begins as the embedding of *left* where the reader reads *left* is understood from the
first step; training moves it to where the frozen model answers best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from edge.facts import COUNTS, PLACES, SHAPES, SIZES, SURENESS
from edge.language.sentences import level_of
from models.heads.prompt_learner import BASE_ROWS, PROMPT_ROWS, TURN_ROWS, PromptLearner

Embed = Callable[[str], torch.Tensor]
"""The mean embedding of a text's tokens, (width,)."""

_BASE = "the report of the station about the anomalies of this part :"

_ANOMALOUS, _GOOD, _SURENESS, _COUNT, _PLACE, _PLACES, _SIZE, _SHAPE = 0, 1, 4, 7, 10, 19, 28, 31
"""Where each group of slots begins; see :func:`models.heads.reader.slots`."""

_SHORT_SIZES = tuple(word.split("-", maxsplit=1)[0] for word in SIZES)

_SHEET = (
    ("anomaly", "no", "yes"),
    ("how many", "no", ""),
    ("where", "no", ""),
    ("part", "no", ""),
    ("size", "no", ""),
    ("shape", "no", ""),
    ("sure", "", ""),
    ("acceptable", "yes", "no"),
    ("action", "nothing", "reject"),
    ("places", "", ""),
)
"""Of each row: what it is about, what it says of a good part, and of an anomalous one."""


def start_from_words(learner: PromptLearner, embed: Embed) -> None:
    """Sets a new prompt learner's rows to words; what no word fits stays small."""
    scale = float(learner.scale)
    with torch.no_grad():
        _prompt_rows(learner, embed).copy_to(learner.prompt)
        _turn_rows(learner, embed).copy_to(learner.turn)
        learner.image.weight.mul_(0.1)
        words = _BASE.split()[:BASE_ROWS]
        for i, word in enumerate(words):
            learner.base[i] = embed(f" {word}") / scale
        learner.base[len(words) :] *= 0.5


class _Rows:
    """A linear layer from slots to rows, in words."""

    def __init__(self, rows: int, learner: PromptLearner, embed: Embed) -> None:
        self._embed, self._scale = embed, float(learner.scale)
        self._weight = torch.randn(rows, learner.width, learner.prompt.in_features) * 0.02
        self._bias = torch.randn(rows, learner.width) * 0.02

    def put(self, row: int, slot: int, text: str, share: float = 1.0) -> None:
        """What the row says as far as the slot is on."""
        self._weight[row, :, slot] += self._of(text, share)

    def always(self, row: int, text: str, share: float = 1.0) -> None:
        """What the row says of every part."""
        self._bias[row] += self._of(text, share)

    def copy_to(self, linear: torch.nn.Linear) -> None:
        """Makes the layer say so."""
        linear.weight.copy_(self._weight.flatten(0, 1))
        linear.bias.copy_(self._bias.flatten())

    def _of(self, text: str, share: float) -> torch.Tensor:
        return share * self._embed(f" {text}") / self._scale


def _prompt_rows(learner: PromptLearner, embed: Embed) -> _Rows:
    rows = _Rows(PROMPT_ROWS, learner, embed)
    rows.put(0, _GOOD, "No anomaly")
    rows.put(0, _ANOMALOUS, "Yes anomaly")
    _put_all(rows, 1, _COUNT, COUNTS)
    rows.put(1, _GOOD, "none")
    _put_all(rows, 2, _SIZE, _SHORT_SIZES)
    _put_all(rows, 3, _SHAPE, SHAPES)
    for i, place in enumerate(PLACES):
        vertical, horizontal = ("top", "middle", "bottom")[i // 3], ("left", "center", "right")[i % 3]
        rows.put(4, _PLACE + i, vertical)
        rows.put(5, _PLACE + i, horizontal)
        rows.put(6, _PLACE + i, place)
        rows.put(7, _PLACES + i, place, 0.5)
    _put_all(rows, 8, _SURENESS, ("doubt", "fairly", "very sure"))
    return rows


def _turn_rows(learner: PromptLearner, embed: Embed) -> _Rows:
    """A sheet of facts: a row for each kind of question, then each place and whether it is damaged."""
    rows = _Rows(TURN_ROWS, learner, embed)
    for row, (title, good, bad) in enumerate(_SHEET):
        rows.always(row, title, 0.5)
        for slot, word in ((_GOOD, good), (_ANOMALOUS, bad)):
            if word:
                rows.put(row, slot, word)
    _put_all(rows, 1, _COUNT, COUNTS)
    _put_all(rows, 2, _PLACE, PLACES)
    _put_all(rows, 3, _PLACE, [level_of(place) for place in PLACES])
    _put_all(rows, 4, _SIZE, _SHORT_SIZES)
    _put_all(rows, 5, _SHAPE, SHAPES)
    _put_all(rows, 6, _SURENESS, SURENESS)
    for i, place in enumerate(PLACES):
        row = len(_SHEET) + 2 * i
        rows.always(row, place)
        rows.always(row + 1, "no")
        rows.put(row + 1, _PLACES + i, "no", -1.0)
        rows.put(row + 1, _PLACES + i, "yes")
    return rows


def _put_all(rows: _Rows, row: int, first_slot: int, words: Sequence[str]) -> None:
    for i, word in enumerate(words):
        rows.put(row, first_slot + i, word)
