"""What training must not change: the untouched model's own words about other things."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'anomalygpt-edge[train]'")

from edge.language.context import Context  # noqa: E402
from edge.language.words import prompt_for  # noqa: E402
from models.dialogue import general_answers  # noqa: E402
from models.dialogue.general_answers import own_answers  # noqa: E402
from models.dialogue.general_questions import GENERAL_QUESTIONS  # noqa: E402

SOME = (GENERAL_QUESTIONS[0], "Say hello.")


@pytest.fixture
def some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(general_answers, "GENERAL_QUESTIONS", SOME)


def words(context: Context, answer: list[int]) -> str:
    return b"".join(context.piece(token) for token in answer).decode()


@pytest.mark.usefixtures("some")
def test_they_are_the_greedy_words_of_the_model_itself(llama_cpp: Context) -> None:
    (capital, answer), (hello, _) = own_answers(llama_cpp)
    assert (capital, hello) == SOME
    assert "Paris" in words(llama_cpp, answer)
    llama_cpp.forget(0)
    asked = (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
        + capital
        + prompt_for().turn_after
    )
    known = llama_cpp.tokens(asked, markup=True)
    assert int(llama_cpp.feed_tokens(0, known).argmax()) == answer[0]


@pytest.mark.usefixtures("some")
def test_they_are_short_and_end_as_the_model_ends_and_are_the_same_each_time(llama_cpp: Context) -> None:
    first = own_answers(llama_cpp)
    llama_cpp.feed_tokens(0, llama_cpp.tokens("All of this was said before."))
    assert own_answers(llama_cpp) == first
    for _, answer in first:
        assert 0 < len(answer) <= 20
        ends = [llama_cpp.is_end(token) for token in answer]
        assert not any(ends[:-1]), "nothing follows the end"
        assert ends[-1] or len(answer) == 20
