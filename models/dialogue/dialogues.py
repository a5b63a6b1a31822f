"""Teaching the frozen language model to read rows: dialogues about imagined or real parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from edge.facts import PLACES, PartFacts
from edge.language import Prompt, prompt_for
from edge.language.model import Tokenize
from edge.language.sentences import KINDS, QUESTIONS, exchange, first_answer
from models.dialogue.general_questions import OVERRIDE_ANSWER, OVERRIDES
from models.dialogue.llm import FrozenLlama, Prefix
from models.dialogue.packing import Batch, PackedDialogue, Tokens, Turn, pack
from models.heads.prompt_learner import PROMPT_ROWS, TURN_ROWS, PromptLearner

PART_ROWS = PROMPT_ROWS + 1
END = "<|im_end|>"

_TURN: Tokens = [-1 - row for row in range(TURN_ROWS)]

_GENERAL, _OVERRIDE = 0.08, 0.04
# What is harder to learn is asked more often.
_WEIGHTS = {"count": 1.5, "sureness": 1.5, "shape": 1.5, "action": 1.5, "at_place": 6.0}
_SHARES = [_WEIGHTS.get(kind, 1.0) for kind in KINDS]
_SHARES = [weight / sum(_SHARES) for weight in _SHARES]
_EVIDENCE_WEIGHT = 0.05


@dataclass(frozen=True, slots=True)
class Losses:
    """What a batch costs: the words' cross entropy, and how far the verdict's logits miss the evidence."""

    words: torch.Tensor
    evidence: torch.Tensor

    @property
    def total(self) -> torch.Tensor:
        return self.words + _EVIDENCE_WEIGHT * self.evidence


@dataclass(frozen=True, eq=False, slots=True)
class DialogueBatch:
    """Dialogues about a batch of parts of one product.

    Attributes:
        description: of the product.
        dialogues: one per part.
        slots: (B, 33), what the reader read of each part.
        images: (B, image width), the images' embeddings.
    """

    description: str
    dialogues: Sequence[PackedDialogue]
    slots: torch.Tensor
    images: torch.Tensor


class Teacher:
    """Makes batches of dialogues and reads what the language model says to them.

    Args:
        llm: the frozen model.
        tokenize: its tokenizer.
        general: questions with the untouched model's own answers, as tokens.
    """

    def __init__(
        self, llm: FrozenLlama, tokenize: Tokenize, general: Sequence[tuple[str, Tokens]] = ()
    ) -> None:
        self.llm = llm
        self._tokenize = tokenize
        self._general = general
        self._prefixes: dict[str, Prefix] = {}
        self._end = tokenize(END, True)
        prompt = prompt_for()
        self._yes, self._no = tokenize(prompt.yes, False)[0], tokenize(prompt.no, False)[0]

    def prefix(self, description: str) -> Prefix:
        """Keys and values of the prompt's fixed beginning; computed once per description."""
        if description not in self._prefixes:
            ids = torch.tensor(prompt_for(description).opening(self._tokenize))
            self._prefixes[description] = self.llm.prefix(ids)
        return self._prefixes[description]

    def dialogues(self, facts: Sequence[PartFacts], rng: np.random.Generator) -> list[PackedDialogue]:
        """A dialogue about each part: the first answer and two branches, of one and of two turns."""
        return [self._dialogue(part, [self._branch(part, turns, rng) for turns in (1, 2)]) for part in facts]

    def scored_dialogue(self, facts: PartFacts, rng: np.random.Generator) -> PackedDialogue:
        """A branch per kind of question, in the wording that training never uses."""
        turns = [self._part_turn(facts, kind, -1, _asked_place(facts, rng)) for kind in KINDS]
        return self._dialogue(facts, [[turn] for turn in turns])

    def learn(self, learner: PromptLearner, lesson: DialogueBatch, evidence: torch.Tensor) -> Losses:
        """The losses of a batch of parts of one product, with gradients to the learner and the slots."""
        batch, hidden = self._read(learner, lesson)
        asked = batch.targets >= 0
        words = functional.cross_entropy(self.llm.logits(hidden[asked]), batch.targets[asked])
        difference = self._difference(batch, hidden)
        return Losses(words, functional.smooth_l1_loss(difference, evidence))

    @torch.no_grad()
    def score(self, learner: PromptLearner, lesson: DialogueBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Whether each part's first answer and each branch's are said word by word, and the verdict.

        Returns:
            (B, 1 + branches) bool, and (B,) the *yes* logit minus the *no* logit.
        """
        batch, hidden = self._read(learner, lesson)
        said = torch.zeros_like(batch.targets)
        asked = batch.targets >= 0
        said[asked] = self.llm.logits(hidden[asked]).argmax(-1)
        right = (said == batch.targets) | ~asked
        rows = []
        for b, dialogue in enumerate(lesson.dialogues):
            end = batch.trunk
            spans = [right[b, :end].all()]
            for branch in dialogue.branches:
                start, end = end, end + sum(_length(turn) for turn in branch)
                spans.append(right[b, start:end].all())
            rows.append(torch.stack(spans))
        return torch.stack(rows), self._difference(batch, hidden)

    def _read(self, learner: PromptLearner, lesson: DialogueBatch) -> tuple[Batch, torch.Tensor]:
        batch = pack(lesson.dialogues, PART_ROWS)
        trunk = batch.trunk
        base = self.llm.extended(self.prefix(lesson.description), learner.base_rows())
        positions = batch.positions + len(base)
        words = self.llm.embed(batch.tokens.clamp(min=0))
        rows = learner.part_rows(lesson.slots, lesson.images)
        # The trunk by itself: where its rows are not being learned, no gradient is worked out for it.
        first, behind = self.llm.read_on(
            torch.cat([rows, words[:, PART_ROWS:trunk]], dim=1),
            positions[:, :trunk],
            batch.mask[:, :trunk, :trunk],
            base,
        )
        if trunk == batch.tokens.shape[1]:
            return batch, first
        turn = learner.turn_rows(lesson.slots)
        row = (-1 - batch.tokens[:, trunk:]).clamp(min=0)
        of_turn = turn.gather(1, row[..., None].expand(-1, -1, turn.shape[2]))
        branches = torch.where((batch.tokens[:, trunk:] < 0)[..., None], of_turn, words[:, trunk:])
        rest = self.llm(branches, positions[:, trunk:], batch.mask[:, trunk:], behind)
        return batch, torch.cat([first, rest], dim=1)

    def _difference(self, batch: Batch, hidden: torch.Tensor) -> torch.Tensor:
        deciding = hidden[torch.arange(len(hidden)), batch.verdict_at]
        logits = self.llm.logits(deciding)
        return logits[:, self._yes] - logits[:, self._no]

    def _dialogue(self, facts: PartFacts, branches: Sequence[Sequence[Turn]]) -> PackedDialogue:
        prompt: Prompt = prompt_for()
        first = Turn(self._tokenize(prompt.after, True), self._answer(first_answer(facts)))
        return PackedDialogue(first, tuple(tuple(branch) for branch in branches))

    def _branch(self, facts: PartFacts, turns: int, rng: np.random.Generator) -> list[Turn]:
        branch: list[Turn] = []
        while len(branch) < turns:
            branch.append(self._turn(facts, rng))
            if branch[-1].answer[-1:] != self._end:
                break  # A long answer of the model's own was cut: nothing can follow it.
        return branch

    def _turn(self, facts: PartFacts, rng: np.random.Generator) -> Turn:
        chance = rng.random()
        if chance < _GENERAL and self._general:
            question, answer = self._general[int(rng.integers(len(self._general)))]
            return Turn(self._question(question), answer)
        if chance < _GENERAL + _OVERRIDE:
            return Turn(
                self._question(OVERRIDES[rng.integers(len(OVERRIDES))]), self._answer(OVERRIDE_ANSWER)
            )
        kind = str(rng.choice(KINDS, p=_SHARES))
        wording = int(rng.integers(len(QUESTIONS[kind]) - 1))
        return self._part_turn(facts, kind, wording, _asked_place(facts, rng))

    def _part_turn(self, facts: PartFacts, kind: str, wording: int, place: str) -> Turn:
        asked = exchange(kind, facts, wording, place)
        return Turn(self._question(asked.question), self._answer(asked.answer))

    def _question(self, text: str) -> Tokens:
        prompt = prompt_for()
        return [
            *self._tokenize(prompt.turn_before, True),
            *self._tokenize(text, False),
            *_TURN,
            *self._tokenize(prompt.turn_after, True),
        ]

    def _answer(self, text: str) -> Tokens:
        return [*self._tokenize(text, False), *self._end]


def _length(turn: Turn) -> int:
    return len(turn.question) + len(turn.answer) - 1


def _asked_place(facts: PartFacts, rng: np.random.Generator) -> str:
    """A place to ask about: half of the time one that holds an anomaly, where there is any."""
    if facts.places and rng.random() < 0.5:
        return str(rng.choice(sorted(facts.places)))
    return PLACES[rng.integers(len(PLACES))]
