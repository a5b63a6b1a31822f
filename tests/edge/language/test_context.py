"""Embedding rows take the place of tokens to the bit, and what does not fit is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import LanguageError
from edge.fetch import sha256_of
from edge.language import LanguageModel, ModelLimits
from edge.language.context import Context, Logits
from tests.edge.language.conftest import LIMITS
from tests.edge.language.models import Embeddings, gemma3, smollm2

BEFORE = "<|im_start|>user\nIs there any anomaly in "
INSIDE = "this photo of a bottle seen from above"
AFTER = "?<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def context(model: LanguageModel) -> Iterator[Context]:
    with Context(model, LIMITS, sequences=3) as context:
        yield context


def read(context: Context, embeddings: Embeddings | None, sequence: int = 0) -> Logits:
    """The logits after the three texts, the middle one as tokens or as their embeddings."""
    context.forget(sequence)
    context.feed_tokens(sequence, context.tokens(BEFORE, markup=True))
    inside = context.tokens(INSIDE)
    if embeddings is None:
        context.feed_tokens(sequence, inside)
    else:
        context.feed_rows(sequence, embeddings.rows(inside))
    return context.feed_tokens(sequence, context.tokens(AFTER, markup=True))


class TestInjection:
    def test_gives_the_logits_of_the_tokens_exactly(self, context: Context, embeddings: Embeddings) -> None:
        np.testing.assert_array_equal(read(context, embeddings), read(context, None))

    def test_is_seen_at_all(self, context: Context, embeddings: Embeddings) -> None:
        forward = read(context, embeddings)
        context.forget(0)
        context.feed_tokens(0, context.tokens(BEFORE, markup=True))
        context.feed_rows(0, embeddings.rows(context.tokens(INSIDE))[::-1])
        backward = context.feed_tokens(0, context.tokens(AFTER, markup=True))
        assert np.abs(forward - backward).max() > 0.1

    def test_is_exact_for_the_other_quantization(self, llama: None) -> None:  # noqa: ARG002
        model = smollm2("Q8_0")
        with Context(model, LIMITS) as context:
            np.testing.assert_array_equal(read(context, Embeddings.of(model)), read(context, None))

    @pytest.mark.slow
    def test_is_exact_for_an_architecture_that_scales_embeddings(self, llama: None) -> None:  # noqa: ARG002
        model = gemma3()
        embeddings = Embeddings.of(model)
        with Context(model, LIMITS) as context:
            tokens = read(context, None)
            np.testing.assert_array_equal(read(context, embeddings), tokens)
        with Context(dataclasses.replace(model, embedding_scale=1.0), LIMITS) as context:
            assert np.abs(read(context, embeddings) - tokens).max() > 1


class TestSequences:
    def test_a_copied_prefix_gives_the_bits_of_a_prefix_read_anew(self, context: Context) -> None:
        after = context.tokens(INSIDE + AFTER, markup=True)
        context.forget(1)
        context.feed_tokens(1, context.tokens(BEFORE, markup=True))
        anew = context.feed_tokens(1, after)
        context.forget(0)
        context.feed_tokens(0, context.tokens(BEFORE, markup=True))
        context.copy(0, 2)
        np.testing.assert_array_equal(context.feed_tokens(2, after), anew)

    def test_what_others_hold_changes_no_bit(self, context: Context, embeddings: Embeddings) -> None:
        context.forget(1)
        context.forget(2)
        alone = read(context, embeddings, sequence=0)
        context.feed_tokens(1, context.tokens("Something else entirely. " * 20))
        context.feed_tokens(2, context.tokens("And more of it."))
        np.testing.assert_array_equal(read(context, embeddings, sequence=0), alone)

    def test_forgetting_frees_the_room(self, context: Context) -> None:
        words = context.tokens("word " * 100)
        for _ in range(5):
            context.forget(0)
            context.feed_tokens(0, words)
            assert context.length(0) == len(words)

    def test_a_text_longer_than_a_batch_is_read_whole(self, model: LanguageModel) -> None:
        limits = ModelLimits(threads=2, context_tokens=768)
        with Context(model, limits) as context:
            words = context.tokens("one two three " * 200)
            context.feed_tokens(0, words)
            assert context.length(0) == len(words) > 512


class TestTokens:
    def test_markup_in_plain_text_is_text(self, context: Context) -> None:
        (end,) = context.tokens("<|im_end|>", markup=True)
        assert context.is_end(end)
        assert end not in context.tokens("<|im_end|>")

    def test_pieces_join_to_the_text(self, context: Context) -> None:
        text = "Zwölf Kratzer, 3 µm → NG ✗"
        assert b"".join(map(context.piece, context.tokens(text))).decode() == text


class TestRefusals:
    @pytest.mark.parametrize(
        ("rows", "said"),
        [
            (np.zeros((4, 575), np.float32), r"shape \(4, 575\), expected \(rows, 576\)"),
            (np.zeros((0, 576), np.float32), r"shape \(0, 576\)"),
            (np.zeros(576, np.float32), r"shape \(576,\)"),
            (np.full((2, 576), np.nan, np.float32), "not finite"),
            (np.full((2, 576), np.inf, np.float32), "not finite"),
        ],
    )
    def test_rows_that_do_not_fit(self, context: Context, rows: Logits, said: str) -> None:
        context.forget(0)
        with pytest.raises(LanguageError, match=said):
            context.feed_rows(0, rows)
        assert context.length(0) == 0

    @pytest.mark.parametrize("tokens", [[], [-1], [49152]])
    def test_tokens_that_do_not_exist(self, context: Context, tokens: list[int]) -> None:
        with pytest.raises(LanguageError):
            context.feed_tokens(0, tokens)

    def test_a_full_context(self, context: Context) -> None:
        context.forget(0)
        context.feed_tokens(0, [1] * (context.room - 1))
        context.feed_tokens(0, [1])
        with pytest.raises(LanguageError, match=f"{context.room} of {context.room} tokens"):
            context.feed_tokens(0, [1])

    def test_a_file_of_another_hash(self, model: LanguageModel) -> None:
        with pytest.raises(LanguageError, match="has sha256"):
            Context(dataclasses.replace(model, sha256="0" * 64), LIMITS)

    def test_a_file_that_is_missing(self, model: LanguageModel, tmp_path: Path) -> None:
        with pytest.raises(LanguageError, match="Cannot read"):
            Context(dataclasses.replace(model, gguf=tmp_path / "none.gguf"), LIMITS)

    def test_a_file_that_is_no_gguf(self, model: LanguageModel, tmp_path: Path) -> None:
        path = tmp_path / "broken.gguf"
        path.write_bytes(model.gguf.read_bytes()[:100_000])
        with pytest.raises(LanguageError, match="cannot read"):
            Context(dataclasses.replace(model, gguf=path, sha256=sha256_of(path)), LIMITS)

    @pytest.mark.parametrize("wrong", [{"architecture": "gemma3"}, {"embedding_width": 640}])
    def test_a_description_of_another_model(self, model: LanguageModel, wrong: dict[str, Any]) -> None:
        with pytest.raises(LanguageError, match="the bundle says"):
            Context(dataclasses.replace(model, **wrong), LIMITS)
