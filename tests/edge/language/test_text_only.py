"""What has nothing to do with a part is answered as the untouched GGUF answers it, token for token.

The other side of the comparison is llama-cpp-python's own high-level class, which knows nothing of
this project: the file as anybody would use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from edge.inspection import Verdict
from edge.language import LanguageModel, Runner
from edge.language.context import Context
from tests.edge.language.conftest import LIMITS
from tests.edge.language.models import CHATML, Embeddings

llama_cpp = pytest.importorskip("llama_cpp", reason="needs llama-cpp-python: make setup")

QUESTIONS = (
    "What is the capital of France?",
    "What is two plus three?",
    "Why is the sky blue?",
    "What should I do when a bottle is broken?",
)
MOST_TOKENS = 24


@pytest.fixture(scope="module")
def untouched(model: LanguageModel) -> Iterator[Any]:
    # The kernels that this project proved: both sides compute with the same ones.
    Context(model, LIMITS).close()
    # With the attention that llama.cpp chooses by itself on a CPU, and that ours has therefore: sums in
    # another order tip the balance where two words are equally likely.
    llama = llama_cpp.Llama(
        str(model.gguf),
        n_ctx=LIMITS.context_tokens,
        n_threads=2,
        n_threads_batch=2,
        flash_attn=True,
        verbose=False,
    )
    yield llama
    llama.close()


def greedy(llama: Any, prompt: list[int], is_end: Callable[[int], bool]) -> list[int]:
    """What the model says to these tokens, without its end."""
    llama.reset()  # Else it would read only what differs from the prompt before, in another batch.
    said: list[int] = []
    for token in llama.generate(prompt, temp=0.0, repeat_penalty=1.0):
        if is_end(token) or len(said) == MOST_TOKENS:
            break
        said.append(token)
    return said


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_without_a_part(untouched: Any, model: LanguageModel, question: str) -> None:
    with Context(model, LIMITS) as context:
        prompt = [
            *context.tokens("<|im_start|>user\n", markup=True),
            *context.tokens(question),
            *context.tokens("<|im_end|>\n<|im_start|>assistant\n", markup=True),
        ]
        expected = greedy(untouched, prompt, context.is_end)
        said: list[int] = []
        logits = context.feed_tokens(0, prompt)
        while len(said) < MOST_TOKENS and not context.is_end(token := int(logits.argmax())):
            said.append(token)
            logits = context.feed_tokens(0, [token])
    assert said == expected
    assert len(said) > 3


def test_a_dialogue_about_rows_that_stand_for_a_text(
    untouched: Any, runner: Runner, embeddings: Embeddings
) -> None:
    """The whole way of a part (prefix, copy, rows, answer, follow-up) against plain text."""
    context = runner._context
    inside, question = "Its neck is broken. ", "Where is it broken?"
    reading = runner.judge(CHATML, embeddings.rows(context.tokens(inside)))
    answer = "".join(runner.answer(reading.dialogue, MOST_TOKENS))
    follow_up = "".join(runner.ask(reading.dialogue, question, MOST_TOKENS))

    def logits() -> np.ndarray:
        return np.array(untouched._ctx.get_logits_ith(-1)[: context.vocabulary_size])

    def read(*batches: list[int]) -> None:
        """In the runner's own batches: sums in another order may tip a balance."""
        for batch in batches:
            untouched.eval(batch)

    def write(token: int, most: int) -> str:
        pieces: list[bytes] = []
        while len(pieces) < most and not context.is_end(token):
            pieces.append(context.piece(token))
            read([token])
            token = int(logits().argmax())
        return b"".join(pieces).decode()

    def markup(text: str) -> list[int]:
        return context.tokens(text, markup=True)

    untouched.reset()
    read(markup(CHATML.before), context.tokens(inside), markup(CHATML.after))
    (yes,), (no,) = context.tokens(CHATML.yes), context.tokens(CHATML.no)
    assert (reading.yes_logit, reading.no_logit) == (logits()[yes], logits()[no])
    assert answer == write(yes if reading.verdict is Verdict.NG else no, MOST_TOKENS)
    read([*markup(CHATML.turn_before), *context.tokens(question)], markup(CHATML.turn_after))
    assert follow_up == write(int(logits().argmax()), MOST_TOKENS)
