"""The frozen language model in torch: the same numbers as llama.cpp, and gradients where they belong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest

from build_engines.language import gguf
from edge.errors import LanguageError, SourceError
from edge.fetch import sha256_of
from edge.language import LanguageModel, ModelLimits
from edge.language.context import Context
from tests.edge.language.models import CHATML, smollm2

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'anomalygpt-edge[train]'")
pytest.importorskip("gguf", reason="training reads the GGUF: pip install 'anomalygpt-edge[train]'")

from models.dialogue.llama_weights import LlamaWeights  # noqa: E402
from models.dialogue.llm import FrozenLlama, Prefix  # noqa: E402

if TYPE_CHECKING:
    from torch import Tensor

QUESTION = CHATML.before + CHATML.after
PROMPTS = (
    QUESTION,
    "<|im_start|>user\nIs there any anomaly in the image?<|im_end|>\n<|im_start|>assistant\n",
    "A camera looks at every part, and the station says where it is damaged and",
)
LIMITS = ModelLimits(threads=2, context_tokens=128)


@pytest.fixture(scope="module")
def shipped() -> LanguageModel:
    try:
        return smollm2("Q4_0")
    except (LanguageError, SourceError) as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def weights(shipped: LanguageModel) -> LlamaWeights:
    return LlamaWeights.read(shipped.gguf)


@pytest.fixture(scope="module")
def llama(weights: LlamaWeights) -> FrozenLlama:
    return FrozenLlama(weights)


@pytest.fixture(scope="module")
def bfloat16(weights: LlamaWeights) -> FrozenLlama:
    return FrozenLlama(weights, torch.bfloat16)


@pytest.fixture(scope="module")
def context(shipped: LanguageModel) -> Iterator[Context]:
    with Context(shipped, LIMITS) as context:
        yield context


@pytest.fixture(scope="module")
def prompts(context: Context) -> list[Tensor]:
    return [torch.tensor(context.tokens(text, markup=True)) for text in PROMPTS]


@pytest.fixture(scope="module")
def unquantized(shipped: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    """The very same weights as float32, for which llama.cpp does not round what it multiplies them with."""
    path = tmp_path_factory.mktemp("unquantized") / "float32.gguf"
    with pytest.MonkeyPatch.context() as patch:
        types: dict[Any, int] = dict(gguf._FTYPES)
        patch.setattr(gguf, "_FTYPES", types | {"F32": 0})
        gguf.requantize(shipped.gguf, path, "F32")  # type: ignore[arg-type]
    with Context(LanguageModel(path, sha256_of(path), "llama", 576), LIMITS) as context:
        yield context
    path.unlink()


def causal(count: int) -> Tensor:
    return torch.ones(1, count, count, dtype=torch.bool).tril()


def whole(llama: FrozenLlama, ids: Tensor) -> Tensor:
    """The hidden rows of one sequence without a prefix: (T, width)."""
    with torch.no_grad():
        return llama(llama.embed(ids)[None], torch.arange(len(ids))[None], causal(len(ids)))[0]


def after(llama: FrozenLlama, prefix: Prefix, ids: Tensor) -> Tensor:
    """The hidden rows of one dialogue after the prefix: (T, width)."""
    positions = len(prefix) + torch.arange(len(ids))
    with torch.no_grad():
        return llama(llama.embed(ids)[None], positions[None], causal(len(ids)), prefix)[0]


def assert_close(llama: FrozenLlama, found: Tensor, expected: Tensor) -> None:
    """The same logits but for the order of sums: they are 20 in size, so this is a part in 20,000."""
    torch.testing.assert_close(llama.logits(found), llama.logits(expected), atol=1e-3, rtol=0)


def last_logits(llama: FrozenLlama, ids: Tensor) -> npt.NDArray[np.float32]:
    logits: npt.NDArray[np.float32] = llama.logits(whole(llama, ids)[-1]).numpy()
    return logits


def expected_logits(context: Context, ids: Tensor) -> npt.NDArray[np.float32]:
    context.forget(0)
    return context.feed_tokens(0, ids.tolist())


class TestAgainstLlamaCpp:
    """Correlations and differences are over the whole vocabulary."""

    def test_the_same_weights_give_the_same_logits(
        self, llama: FrozenLlama, unquantized: Context, prompts: list[Tensor]
    ) -> None:
        for ids in prompts:
            found, expected = last_logits(llama, ids), expected_logits(unquantized, ids)
            assert found.argmax() == expected.argmax()
            assert np.corrcoef(found, expected)[0, 1] > 0.99999
            # What is left is llama.cpp's memory, which keeps keys and values in half precision.
            assert np.abs(found - expected).max() < 0.1

    def test_the_shipped_kernels_differ_by_their_8_bit_activations_only(
        self, llama: FrozenLlama, context: Context, prompts: list[Tensor]
    ) -> None:
        for ids in prompts[:2]:
            found, expected = last_logits(llama, ids), expected_logits(context, ids)
            assert found.argmax() == expected.argmax()
            assert np.corrcoef(found, expected)[0, 1] > 0.998
            assert np.abs(found - expected).max() < 1.5

    def test_injected_rows_are_read_alike(
        self, llama: FrozenLlama, unquantized: Context, prompts: list[Tensor]
    ) -> None:
        """Rows that are no token's: the middle between two."""
        before, after = prompts[0][:20], prompts[0][20:]
        rows = (llama.embed(prompts[1][:6]) + llama.embed(prompts[2][:6])) / 2
        sequence = torch.cat([llama.embed(before), rows, llama.embed(after)])
        count = len(sequence)
        with torch.no_grad():
            hidden = llama(sequence[None], torch.arange(count)[None], causal(count))
            found = llama.logits(hidden[0, -1]).numpy()
        unquantized.forget(0)
        unquantized.feed_tokens(0, before.tolist())
        unquantized.feed_rows(0, rows.numpy())
        expected = unquantized.feed_tokens(0, after.tolist())
        assert np.corrcoef(found, expected)[0, 1] > 0.99999
        assert np.abs(found - expected).max() < 0.1


def test_bfloat16_keeps_the_verdicts_margin(
    llama: FrozenLlama, bfloat16: FrozenLlama, context: Context, prompts: list[Tensor]
) -> None:
    yes, no = (context.tokens(word)[0] for word in (CHATML.yes, CHATML.no))
    for ids in prompts[:2]:
        exact, fast = (last_logits(model, ids) for model in (llama, bfloat16))
        assert fast[yes] - fast[no] == pytest.approx(exact[yes] - exact[no], abs=0.15)


def test_a_prefix_read_once_is_the_whole_sequence(llama: FrozenLlama, prompts: list[Tensor]) -> None:
    prefix, rest = llama.prefix(prompts[0][:25]), prompts[0][25:]
    assert len(prefix) == 25
    assert_close(llama, after(llama, prefix, rest), whole(llama, prompts[0])[25:])


def test_a_tree_of_dialogues_is_its_branches_one_by_one(llama: FrozenLlama, prompts: list[Tensor]) -> None:
    """Two samples: common rows, then branches which do not see each other; the smaller sample is padded."""
    prefix = llama.prefix(prompts[0][:25])
    samples = [
        (prompts[0][25:], prompts[1][:8], prompts[2][:5]),
        (prompts[2][:9], prompts[0][:6], prompts[1][:4]),
    ]
    rows = max(sum(map(len, sample)) for sample in samples)
    embeddings, positions = torch.zeros(2, rows, 576), torch.zeros(2, rows, dtype=torch.long)
    mask = torch.eye(rows, dtype=torch.bool).repeat(2, 1, 1)
    spans: list[list[slice]] = []
    for number, (trunk, *branches) in enumerate(samples):
        embeddings[number, : len(trunk)] = llama.embed(trunk)
        positions[number, : len(trunk)] = len(prefix) + torch.arange(len(trunk))
        mask[number, : len(trunk), : len(trunk)] = causal(len(trunk))
        spans.append([])
        start = len(trunk)
        for branch in branches:
            span = slice(start, start + len(branch))
            embeddings[number, span] = llama.embed(branch)
            positions[number, span] = len(prefix) + len(trunk) + torch.arange(len(branch))
            mask[number, span, : len(trunk)] = True
            mask[number, span, span] = causal(len(branch))[0]
            spans[number].append(span)
            start = span.stop
    with torch.no_grad():
        packed = llama(embeddings, positions, mask, prefix)
    for number, (trunk, *branches) in enumerate(samples):
        for span, branch in zip(spans[number], branches, strict=True):
            alone = after(llama, prefix, torch.cat([trunk, branch]))[len(trunk) :]
            assert_close(llama, packed[number, span], alone)


@pytest.mark.parametrize("precision", ["llama", "bfloat16"])
def test_gradients_reach_the_embeddings_and_no_weight(
    prompts: list[Tensor], precision: str, request: pytest.FixtureRequest
) -> None:
    model: FrozenLlama = request.getfixturevalue(precision)
    assert list(model.parameters()) and not any(weight.requires_grad for weight in model.parameters())
    prefix = model.prefix(prompts[0][:25])
    rows = model.embed(prompts[1][:6])[None].requires_grad_()
    positions = len(prefix) + torch.arange(6)[None]
    model.logits(model(rows, positions, causal(6), prefix)[0, 4]).logsumexp(-1).backward()
    assert rows.grad is not None and torch.isfinite(rows.grad).all()
    reached = rows.grad[0].abs().amax(dim=-1) > 0
    assert reached.tolist() == [True] * 5 + [False], "the sixth row comes after the one that is asked"
    assert all(weight.grad is None for weight in model.parameters())


def test_the_gradient_is_the_slope(llama: FrozenLlama, prompts: list[Tensor]) -> None:
    generator = torch.Generator().manual_seed(0)
    rows = llama.embed(prompts[1][:6])[None].requires_grad_()
    direction = torch.randn(rows.shape, generator=generator)

    def loss(rows: Tensor) -> Tensor:
        return llama.logits(llama(rows, torch.arange(6)[None], causal(6))[0, -1]).log_softmax(-1)[7]

    (gradient,) = torch.autograd.grad(loss(rows), rows)
    with torch.no_grad():
        slope = (loss(rows + 1e-3 * direction) - loss(rows - 1e-3 * direction)) / 2e-3
    assert float((gradient * direction).sum()) == pytest.approx(float(slope), rel=0.05)


def test_a_file_that_is_no_llama_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.gguf"
    path.write_bytes(b"not a model, only some words that are long enough")
    with pytest.raises(LanguageError, match=r"notes\.gguf cannot be read"):
        FrozenLlama.from_gguf(path)
