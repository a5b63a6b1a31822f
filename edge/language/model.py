"""What the language room is told: which model, which words around the prompt embeddings, which limits."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.choices import WaitPolicy
from edge.inspection import Verdict

_MOST_THREADS_BY_DEFAULT = 4  # A small model gains nothing from more.


@dataclass(frozen=True, eq=False, slots=True)
class LanguageModel:
    """A GGUF file and how embeddings enter it, as a bundle's manifest says.

    Attributes:
        gguf: the file.
        sha256: of that file, lower-case hexadecimal: prompts are trained on one exact file.
        architecture: its ``general.architecture``, such as ``llama`` or ``gemma3``.
        embedding_width: floats in one embedding row.
        embedding_scale: what rows are multiplied with before they are injected. Gemma multiplies the
            embeddings of tokens by the square root of their width and injected ones not, so a
            row that stands in the place of a token needs that factor; 1 for Llama.
        base_rows: float32 (rows, width), the learned rows that follow every prompt's fixed beginning;
            None where there are none.
        part_rows: how many of a part's rows are read with the part; the others end every further question.
            None where all are read with it.
    """

    gguf: Path
    sha256: str
    architecture: str
    embedding_width: int
    embedding_scale: float = 1.0
    base_rows: npt.NDArray[np.float32] | None = None
    part_rows: int | None = None


Tokenize = Callable[[str, bool], list[int]]
"""The tokens of a text; and whether strings such as ``<|im_end|>`` in it are control tokens."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The fixed words around a part's embedding rows, in the model's own chat markup.

    A part is read as ``before``, rows, ``after``; then the model answers. ``before`` is the same for
    all parts of a product and is computed once, so the question belongs there.

    Attributes:
        before: system message, product description and the question.
        markup_chars: how many characters of ``before`` may be markup. What follows holds a description
            that a person typed, and is text whatever it says. None: all of them.
        after: what ends the question and opens the answer.
        turn_before, turn_after: what stands around a follow-up question. The question itself is
            plain text: markup that a person types into it means nothing.
        yes, no: the two first answer words that decide, one token each. ``yes`` is an anomaly.
    """

    before: str
    after: str
    turn_before: str
    turn_after: str
    yes: str = "Yes"
    no: str = "No"
    markup_chars: int | None = None

    def opening(self, tokens: Tokenize) -> list[int]:
        """The tokens of ``before``: its markup as markup, what a person typed into it as text."""
        place = len(self.before) if self.markup_chars is None else self.markup_chars
        return [*tokens(self.before[:place], True), *tokens(self.before[place:], False)]


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """What the language model may use of the machine.

    Attributes:
        threads: CPU threads; None takes the cores that this process may use, at most four.
        wait_policy: what threads do between two pieces of work. ``passive`` gives the core away,
            which a station needs where cameras and vision run on the same cores; ``active``
            spins, which is faster on cores that nothing else uses.
        context_tokens: the room of one dialogue: prompt, rows, answers and questions together.
        dialogues: how many parts can be talked about at a time; one more ends the oldest.
    """

    threads: int | None = None
    wait_policy: WaitPolicy = "passive"
    context_tokens: int = 768
    dialogues: int = 4

    @property
    def own_threads(self) -> int:
        """``threads``, or what None takes."""
        return self.threads or min(len(os.sched_getaffinity(0)), _MOST_THREADS_BY_DEFAULT)


@dataclass(frozen=True, slots=True)
class Reading:
    """The model's verdict on one part: the larger of two logits, nothing to set.

    Attributes:
        dialogue: the number under which this part can be talked about.
        yes_logit, no_logit: of the two words at the first answer token.
        p_anomaly: the softmax over these two, at ``yes``.
    """

    dialogue: int
    yes_logit: float
    no_logit: float
    p_anomaly: float

    @property
    def verdict(self) -> Verdict:
        """NG where *yes* is not smaller than *no*: a tie is no proof of a good part."""
        return Verdict.NG if self.yes_logit >= self.no_logit else Verdict.OK
