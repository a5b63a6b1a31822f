"""``python -m models agreement PRESET DATASET…``: do torch and llama.cpp give the same verdicts?

The prompt learner is trained through torch's reading of the GGUF and runs in llama.cpp's. Real parts are
judged by the vision graph, and the rows that it gives are read by both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge.bundle import Bundle
from edge.cameras import read_image
from edge.errors import BundleError
from edge.evaluation.dataset import Category
from edge.evaluation.learning import learn
from edge.image_types import Array
from edge.language import ModelLimits, Prompt, Runner, bundled_model, prompt_for
from edge.language.context import Context
from edge.progress import Progress
from edge.vision.engine import Engine


@dataclass(slots=True)
class VerdictAgreement:
    """The *yes* logit minus the *no* logit of the same parts, in torch's float32 and in llama.cpp."""

    in_torch: list[float] = field(default_factory=list)
    in_llama_cpp: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Of the parts that get the same verdict."""
        return float(((np.array(self.in_torch) >= 0) == (np.array(self.in_llama_cpp) >= 0)).mean())

    def figures(self) -> dict[str, float]:
        """Parts, the share with the same verdict, and how the logits' differences compare."""
        apart = np.abs(np.array(self.in_torch) - np.array(self.in_llama_cpp))
        return {
            "parts": len(apart),
            "same_verdict": self.share,
            "correlation": float(np.corrcoef(self.in_torch, self.in_llama_cpp)[0, 1]),
            "mean_apart": float(apart.mean()),
            "most_apart": float(apart.max()),
        }

    def __str__(self) -> str:
        found = self.figures()
        return (
            f"{found['parts']} parts: {self.share:.1%} with the same verdict; logit differences correlate "
            f"{found['correlation']:.4f} and are {found['mean_apart']:.2f} apart, {found['most_apart']:.2f} "
            "at most"
        )


def agreement(
    categories: Sequence[Category], engine: Engine, bundle: Bundle, shots: int, progress: Progress
) -> VerdictAgreement:
    """Judges every test part of some products in both.

    Raises:
        BundleError: the bundle has no language half.
    """
    language = bundle.manifest.language
    if language is None:
        raise BundleError(f"Bundle {bundle.name} has no language half.", "Use one that has: dinov2-s.")
    model = bundled_model(bundle)
    reader = _Torch(model.gguf, np.load(bundle.file(language.base_rows), allow_pickle=False))
    found = VerdictAgreement()
    with Runner(model) as runner, Context(model, ModelLimits()) as words:
        for category in categories:
            inspector = learn(category, shots, 0, engine, bundle, None).inspector
            prompt = prompt_for(category.description)
            given: list[Array] = []
            for number, part in enumerate(category.test):
                progress(category.name, number, len(category.test))
                rows = inspector.inspect(read_image(part.path)).rows
                assert rows is not None
                given.append(rows[: language.part_rows].copy())
                reading = runner.judge(prompt, rows)
                runner.release(reading.dialogue)
                found.in_llama_cpp.append(reading.yes_logit - reading.no_logit)
            found.in_torch += reader.differences(np.stack(given), prompt, words.tokens)
    return found


class _Torch:
    """The GGUF as training reads it, in float32."""

    def __init__(self, gguf: Path, base_rows: Array) -> None:
        import torch

        from models.dialogue.llm import FrozenLlama

        self._llm = FrozenLlama.from_gguf(gguf)
        self._base = torch.from_numpy(base_rows)

    def differences(self, rows: Array, prompt: Prompt, tokenize: Callable[..., list[int]]) -> list[float]:
        """*Yes* minus *no* for each part's rows, (parts, rows, width)."""
        import torch

        llm = self._llm
        with torch.no_grad():
            before = torch.tensor(prompt.opening(tokenize))
            prefix = llm.extended(llm.prefix(before), self._base)
            after = llm.embed(torch.tensor(tokenize(prompt.after, markup=True)))
            read = torch.cat([torch.from_numpy(rows), after.expand(len(rows), -1, -1)], dim=1)
            count = read.shape[1]
            positions = (torch.arange(count) + len(prefix)).expand(len(rows), -1)
            mask = torch.ones(count, count, dtype=torch.bool).tril().expand(len(rows), -1, -1)
            logits = llm.logits(llm(read, positions, mask, prefix)[:, -1])
        yes, no = tokenize(prompt.yes)[0], tokenize(prompt.no)[0]
        difference: list[float] = (logits[:, yes] - logits[:, no]).tolist()
        return difference
