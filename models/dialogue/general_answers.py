"""The untouched language model's own answers to general questions: what training must not change."""

from __future__ import annotations

from edge.language import prompt_for
from edge.language.context import Context
from models.dialogue.general_questions import GENERAL_QUESTIONS
from models.dialogue.packing import Tokens

_MOST_TOKENS = 20
_SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"


def own_answers(context: Context) -> list[tuple[str, Tokens]]:
    """Each question with the first tokens of its greedy answer, no part and no rows being there."""
    return [(question, _answer(context, question)) for question in GENERAL_QUESTIONS]


def _answer(context: Context, question: str) -> Tokens:
    context.forget(0)
    asked = [
        *context.tokens(_SYSTEM, markup=True),
        *context.tokens(question),
        *context.tokens(prompt_for().turn_after, markup=True),
    ]
    logits = context.feed_tokens(0, asked)
    answer: Tokens = []
    while len(answer) < _MOST_TOKENS:
        answer.append(int(logits.argmax()))
        if context.is_end(answer[-1]):
            break
        logits = context.feed_tokens(0, answer[-1:])
    return answer
