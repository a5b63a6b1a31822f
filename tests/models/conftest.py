"""The language model that ships, and torch on one thread where tensors are tiny."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from edge.errors import LanguageError, SourceError
from edge.language import LanguageModel, ModelLimits
from edge.language.context import Context
from tests.edge.language.models import smollm2

if TYPE_CHECKING:
    from models.dialogue.llm import FrozenLlama


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Tiny tensors gain nothing from a second thread, and on a busy machine they wait for it."""
    torch = pytest.importorskip("torch", reason="training needs torch: pip install 'anomalygpt-edge[train]'")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def gguf_model() -> LanguageModel:
    """SmolLM2 in the quantization of the default bundle, the very file of it."""
    try:
        return smollm2("Q4_0")
    except (LanguageError, SourceError) as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def frozen_llama(gguf_model: LanguageModel) -> FrozenLlama:
    """The same in torch, float32."""
    from models.dialogue.llm import FrozenLlama

    return FrozenLlama.from_gguf(gguf_model.gguf)


@pytest.fixture(scope="module")
def llama_cpp(gguf_model: LanguageModel) -> Iterator[Context]:
    """The same in llama.cpp."""
    with Context(gguf_model, ModelLimits(threads=2, context_tokens=256)) as context:
        yield context
