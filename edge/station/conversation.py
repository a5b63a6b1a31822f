"""Talking about one part: the station's own inspection of it first, then questions."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.errors import LanguageError
from edge.language import LanguageWorker, ModelLimits
from edge.station.deciding import opened_decider
from edge.station.opening import open_judge

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from edge.cameras import Frame
    from edge.inspection import Inspection
    from edge.station.deciding import Decider
    from edge.station.judging import Judge
    from edge.station.product import Product
    from edge.vision.engine import Engine

# No line waits here, and the machine may be busy.
PATIENCE_S = 60.0
# A conversation with a person may become longer than what a station says of a part.
LIMITS = ModelLimits(context_tokens=2048, dialogues=1)


class Conversation:
    """One part, inspected, and what is said about it. Nothing that is said changes the inspection.

    Attributes:
        inspection: of the part, with the model's sentence as its words.
    """

    def __init__(self, inspection: Inspection, worker: LanguageWorker, dialogue: int) -> None:
        self.inspection = inspection
        self._worker = worker
        self._dialogue = dialogue

    def ask(self, question: str) -> str:
        """The model's answer, in the light of what was said before.

        Raises:
            LanguageError: the question is empty, the dialogue is full, or there is no answer in time.
        """
        return self._worker.ask(self._dialogue, question, timeout_s=PATIENCE_S).strip()

    def end(self) -> None:
        """Nothing more will be asked; waits for nothing."""
        self._worker.release(self._dialogue)


@contextmanager
def opened_conversation(
    engine: Engine, bundle: Bundle, product: Product, frame: Frame
) -> Iterator[Conversation]:
    """Inspects a part by the language model's verdict and opens a conversation about it.

    Raises:
        ProductError: another bundle learned the product, or its memory cannot be read.
        BundleError: the bundle has no language half.
        LanguageError: llama.cpp is missing, or the part has no verdict.
    """
    with opened_decider(
        bundle, description=product.description, limits=LIMITS, timeout_s=PATIENCE_S
    ) as decider:
        assert decider is not None, "the language model decides"
        yield begun_conversation(open_judge(engine, bundle, product, decider=decider), decider, frame)


def begun_conversation(judge: Judge, decider: Decider, frame: Frame) -> Conversation:
    """Inspects a part and has the language model say what it sees; the conversation about it.

    Raises:
        LanguageError: the part has no verdict of the language model, or its words are not there in time.
    """
    judged = judge.judge(frame)
    if judged.dialogue is None:
        why = judged.language_error or judged.inspection.error
        raise LanguageError(f"No questions can be asked about {frame.part_id}: {why}")
    words = decider.worker.answer(judged.dialogue, timeout_s=PATIENCE_S).strip()
    inspection = dataclasses.replace(judged.inspection, words=words)
    return Conversation(inspection, decider.worker, judged.dialogue)
