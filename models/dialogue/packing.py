"""Dialogues about several parts as one batch: a trunk with branches per part.

A part's rows and its first answer are the trunk; every further dialogue is a branch that sees the
trunk and itself. Several dialogues about a part thus cost its rows once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

Tokens = list[int]


@dataclass(frozen=True, slots=True)
class Turn:
    """A question's tokens (with the chat markup around it) and the answer's, its end included."""

    question: Tokens
    answer: Tokens


@dataclass(frozen=True, slots=True)
class PackedDialogue:
    """One part's first answer and the branches that follow it, each of one or more turns."""

    first: Turn
    branches: tuple[tuple[Turn, ...], ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Dialogues packed for the language model; ``rows`` positions of each are left for part rows.

    Attributes:
        tokens: (B, T) int64; 0 in the place of part rows and of padding, and below 0 where a turn row
            stands: -1 for the first of them, -2 for the second, …
        positions: (B, T) int64, counted from the end of the prefix.
        mask: (B, T, T) bool, what each position sees of the others.
        trunk: where the branches begin: the first so many positions are the parts' rows and first turns.
        targets: (B, T) int64: the token that the position must be followed by, -1 for none.
        verdict_at: (B,) the position whose logits decide.
    """

    tokens: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    trunk: int
    targets: torch.Tensor
    verdict_at: torch.Tensor


def pack(dialogues: Sequence[PackedDialogue], rows: int) -> Batch:
    """Packs one dialogue per part.

    Args:
        dialogues: of the batch's parts.
        rows: part rows that stand before each first turn.
    """
    trunk = rows + max(len(dialogue.first.question + dialogue.first.answer) - 1 for dialogue in dialogues)
    laid = [_laid_out(dialogue, rows, trunk) for dialogue in dialogues]
    longest = max(len(tokens) for tokens, *_ in laid)
    count = len(laid)
    tokens = torch.zeros(count, longest, dtype=torch.int64)
    positions = torch.zeros(count, longest, dtype=torch.int64)
    targets = torch.full((count, longest), -1, dtype=torch.int64)
    mask = torch.eye(longest, dtype=torch.bool).repeat(count, 1, 1)
    for b, (ids, places, wanted, spoken, branch_starts) in enumerate(laid):
        length = len(ids)
        tokens[b, :length] = torch.tensor(ids)
        positions[b, :length] = torch.tensor(places)
        targets[b, :length] = torch.tensor(wanted)
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        starts = [spoken, *branch_starts]
        for start, end in zip(starts, [*branch_starts, length], strict=True):
            causal[start:end, spoken:start] = False
        causal[spoken:trunk, spoken:trunk] = torch.eye(trunk - spoken, dtype=torch.bool)
        causal[spoken:trunk, :spoken] = False
        mask[b, :length, :length] = causal
    verdict_at = torch.tensor([rows + len(dialogue.first.question) - 1 for dialogue in dialogues])
    return Batch(tokens, positions, mask, trunk, targets, verdict_at)


def _laid_out(
    dialogue: PackedDialogue, rows: int, trunk: int
) -> tuple[Tokens, Tokens, Tokens, int, list[int]]:
    """Tokens, positions, targets, the length of this trunk, and where its branches start."""
    ids: Tokens = [0] * rows
    wanted: Tokens = [-1] * rows
    _append(dialogue.first, ids, wanted)
    spoken = len(ids)
    ids += [0] * (trunk - spoken)
    wanted += [-1] * (trunk - spoken)
    places = list(range(trunk))
    starts = []
    for branch in dialogue.branches:
        starts.append(len(ids))
        for turn in branch:
            _append(turn, ids, wanted)
        places += range(spoken, spoken + len(ids) - starts[-1])
    return ids, places, wanted, spoken, starts


def _append(turn: Turn, ids: Tokens, wanted: Tokens) -> None:
    # The last token of the question is followed by the answer's first, and so on to its end; the end
    # itself belongs to the markup of the next question and is not read twice.
    ids += turn.question + turn.answer[:-1]
    wanted += [-1] * (len(turn.question) - 1) + turn.answer
