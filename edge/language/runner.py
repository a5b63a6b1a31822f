"""The language model at work: a verdict on a part from its embedding rows, then words about it.

The prompt's fixed beginning and the learned base rows lie in sequence 0. Each part gets a copy of it,
its rows and the end of the question; the verdict is read from the next token's logits. The part keeps
its sequence, so the words and the dialogue go on where the verdict was made. Words are greedy: no
sampling, so the same part gives the same words.
"""

from __future__ import annotations

import codecs
import dataclasses
import secrets
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from edge.errors import LanguageError
from edge.inspection import Verdict
from edge.language.context import Context, Logits, Rows
from edge.language.model import LanguageModel, ModelLimits, Prompt, Reading
from edge.language.words import LONGEST_QUESTION

_PREFIX = 0


@dataclass(slots=True)
class _Dialogue:
    """A part's sequence.

    Attributes:
        turn_rows: its rows that end every further question; there may be none.
        first_token: that its answer starts with, until that is written.
    """

    sequence: int
    prompt: Prompt
    turn_rows: Rows
    first_token: int | None


class Runner:
    """Verdicts and dialogues with one language model. One thread at a time.

    ::

        with Runner(model) as runner:
            reading = runner.judge(prompt, rows)
            words = "".join(runner.answer(reading.dialogue))
            place = "".join(runner.ask(reading.dialogue, "Where is it?"))

    Args:
        model: the GGUF and how embeddings enter it.
        limits: threads, room and the number of dialogues.
        kernel: as for :class:`Context`.

    Raises:
        LanguageError: llama.cpp is missing, or the file is not what the bundle says.
    """

    def __init__(
        self, model: LanguageModel, limits: ModelLimits | None = None, kernel: Path | None = None
    ) -> None:
        limits = limits or ModelLimits()
        self._context = Context(model, limits, sequences=1 + limits.dialogues, kernel=kernel)
        self._base_rows = model.base_rows
        self._part_rows = model.part_rows
        self._free = list(range(limits.dialogues, 0, -1))
        self._dialogues: OrderedDict[int, _Dialogue] = OrderedDict()
        self._prefix: Prompt | None = None

    @property
    def open_dialogues(self) -> int:
        """How many parts can be talked about now."""
        return len(self._dialogues)

    def judge(self, prompt: Prompt, rows: Rows) -> Reading:
        """Reads a part and decides.

        The part's dialogue stays open until :meth:`release`, or until newer parts need its room.

        Args:
            prompt: the words around the rows.
            rows: float32 (rows, width), what the prompt learner gave for this part: those that are read
                now, and those that end every further question.

        Raises:
            LanguageError: the rows do not fit or are not finite, or the prompt does not fit.
        """
        self._context.check_rows(rows)
        yes, no = self._verdict_tokens(prompt)
        self._hold_prefix(prompt)
        sequence = self._take_sequence()
        try:
            self._context.copy(_PREFIX, sequence)
            self._context.feed_rows(sequence, rows[: self._part_rows])
            logits = self._context.feed_tokens(sequence, self._context.tokens(prompt.after, markup=True))
        except LanguageError:
            self._give_back(sequence)
            raise
        number = _new_number()
        reading = _reading(number, logits, yes, no)
        first_token = yes if reading.verdict is Verdict.NG else no
        # A copy: the vision graph writes the next part's rows where these lie.
        turn_rows = rows[len(rows) if self._part_rows is None else self._part_rows :].copy()
        self._dialogues[number] = _Dialogue(sequence, prompt, turn_rows, first_token)
        return reading

    def answer(self, dialogue: int, most_tokens: int = 64) -> Iterator[str]:
        """The model's sentence about a part, piece by piece; it starts with the word that decided.

        Raises:
            LanguageError: the dialogue is over, its answer was given, or its room is full.
        """
        state = self._state(dialogue)
        if state.first_token is None:
            raise LanguageError("The first answer about this part has already been given.")
        token, state.first_token = state.first_token, None
        return self._write(dialogue, token, most_tokens)

    def ask(self, dialogue: int, question: str, most_tokens: int = 64) -> Iterator[str]:
        """The answer to a follow-up question, piece by piece; a piece may be empty.

        Where the first answer was not given yet, it is written first and not shown: the question
        follows it. Nothing that is said here reaches another part, the verdict or a setting.

        Raises:
            LanguageError: the question is empty or too long, the dialogue is over, or its room is full.
        """
        if not question.strip():
            raise LanguageError("The question is empty.")
        if len(question) > LONGEST_QUESTION:
            raise LanguageError(
                f"The question has {len(question)} characters.", f"Ask in {LONGEST_QUESTION} or fewer."
            )
        state = self._state(dialogue)
        if state.first_token is not None:
            yield from ("" for _ in self.answer(dialogue))
        tokens, sequence, turn_rows = self._context.tokens, state.sequence, state.turn_rows
        asked = [*tokens(state.prompt.turn_before, markup=True), *tokens(question)]
        answering = tokens(state.prompt.turn_after, markup=True)
        self._context.require_room(sequence, len(asked) + len(turn_rows) + len(answering))
        self._context.feed_tokens(sequence, asked)
        if len(turn_rows):
            self._context.feed_rows(sequence, turn_rows)
        logits = self._context.feed_tokens(sequence, answering)
        yield from self._write(dialogue, int(logits.argmax()), most_tokens)

    def fork(self, dialogue: int) -> int:
        """A second dialogue about a part, which goes on from here; neither hears the other.

        Raises:
            LanguageError: the dialogue is over, or there is room for a single one.
        """
        state = self._state(dialogue)
        self._dialogues.move_to_end(dialogue)  # The room that a new one takes is not its own.
        if not self._free and len(self._dialogues) == 1:
            raise LanguageError("There is room for only one dialogue.", "Raise dialogues to 2 or more.")
        sequence = self._take_sequence()
        self._context.copy(state.sequence, sequence)
        number = _new_number()
        self._dialogues[number] = dataclasses.replace(state, sequence=sequence)
        return number

    def release(self, dialogue: int) -> None:
        """Ends a dialogue and frees its room; does nothing where it is over already."""
        state = self._dialogues.pop(dialogue, None)
        if state is not None:
            self._give_back(state.sequence)

    def close(self) -> None:
        """Frees the model; may be called twice."""
        self._dialogues.clear()
        self._context.close()

    def __enter__(self) -> Runner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, dialogue: int, token: int, most_tokens: int) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for _ in range(most_tokens):
            if self._context.is_end(token):
                break
            if text := decoder.decode(self._context.piece(token)):
                yield text
            # Asked for at each step: newer parts may have ended the dialogue since the last one.
            logits = self._context.feed_tokens(self._state(dialogue).sequence, [token])
            token = int(logits.argmax())
        if text := decoder.decode(b"", final=True):
            yield text

    def _state(self, dialogue: int) -> _Dialogue:
        state = self._dialogues.get(dialogue)
        if state is None:
            raise LanguageError("The dialogue about this part has ended.", "Inspect the part again.")
        return state

    def _hold_prefix(self, prompt: Prompt) -> None:
        if self._prefix is not None and self._prefix.before == prompt.before:
            return
        self._prefix = None
        self._context.forget(_PREFIX)
        self._context.feed_tokens(_PREFIX, prompt.opening(self._context.tokens))
        if self._base_rows is not None:
            self._context.feed_rows(_PREFIX, self._base_rows)
        self._prefix = prompt

    def _verdict_tokens(self, prompt: Prompt) -> tuple[int, int]:
        yes, no = self._context.tokens(prompt.yes), self._context.tokens(prompt.no)
        if len(yes) != 1 or len(no) != 1 or yes == no:
            raise LanguageError(
                f"The words {prompt.yes!r} and {prompt.no!r} are not two distinct single tokens in "
                "this model."
            )
        return yes[0], no[0]

    def _take_sequence(self) -> int:
        if not self._free:
            oldest = next(iter(self._dialogues))
            self.release(oldest)
        return self._free.pop()

    def _give_back(self, sequence: int) -> None:
        self._context.forget(sequence)
        self._free.append(sequence)


def _new_number() -> int:
    """Random, so that no number of a restarted worker is an old one's."""
    return secrets.randbits(63)


def _reading(dialogue: int, logits: Logits, yes: int, no: int) -> Reading:
    yes_logit, no_logit = float(logits[yes]), float(logits[no])
    p_anomaly = float(1 / (1 + np.exp(np.clip(no_logit - yes_logit, -700, 700))))
    return Reading(dialogue, yes_logit, no_logit, p_anomaly)
