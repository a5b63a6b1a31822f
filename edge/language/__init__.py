"""The language half: prompt embeddings in, a verdict and words out, by a frozen GGUF model.

Importing this room loads nothing heavy; llama.cpp is loaded with the first runner, and a station
uses it through a :class:`LanguageWorker`, in a process of its own.
"""

from edge.language.bundled import bundled_model
from edge.language.model import LanguageModel, ModelLimits, Prompt, Reading
from edge.language.runner import Runner
from edge.language.words import prompt_for
from edge.language.worker import LanguageWorker

__all__ = [
    "LanguageModel",
    "LanguageWorker",
    "ModelLimits",
    "Prompt",
    "Reading",
    "Runner",
    "bundled_model",
    "context",
    "count_tokens",
    "kernels",
    "library",
    "model",
    "prompt_for",
    "sentences",
    "truth",
    "words",
]
