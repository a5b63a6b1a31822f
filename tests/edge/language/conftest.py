"""One real model for all tests of the language room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edge.errors import LanguageError, SourceError
from edge.language import LanguageModel, ModelLimits, Runner
from edge.language.library import load
from tests.edge.language.models import Embeddings, smollm2

LIMITS = ModelLimits(threads=2, context_tokens=256, dialogues=2)


@pytest.fixture(scope="session")
def llama() -> None:
    """Skips where llama.cpp is not installed, and says how to install it."""
    try:
        load()
    except LanguageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def model(llama: None) -> LanguageModel:  # noqa: ARG001
    """SmolLM2-135M-Instruct in Q4_0."""
    try:
        return smollm2("Q4_0")
    except SourceError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def embeddings(model: LanguageModel) -> Embeddings:
    return Embeddings.of(model)


@pytest.fixture(scope="module")
def runner(model: LanguageModel) -> Iterator[Runner]:
    with Runner(model, LIMITS) as runner:
        yield runner
