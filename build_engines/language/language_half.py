"""The language half of a bundle: the requantized GGUF and what was trained on that very file."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

import models
from build_engines.graph.learned import TrainedWeights, read_learned
from build_engines.graph.prompt_head import part_rows
from build_engines.language.gguf import REQUANTIZED, SMOLLM2, fetch_smollm2
from build_engines.presets import LanguagePreset
from edge.bundle import Language, Manifest, Origin
from edge.errors import SourceError
from edge.whole_file import written_whole

BASE_ROWS_FILE = "base_rows.npy"
_ARCHITECTURE = "llama"

LANGUAGE_ORIGINS: list[Origin] = [SMOLLM2.origin]


def weights_file(language: LanguagePreset) -> Path:
    """Where the trained weights lie."""
    return Path(models.__file__).parent / "weights" / language.weights


def write_language(language: LanguagePreset, folder: Path) -> Language:
    """Writes the GGUF and the base rows into a bundle's folder.

    Raises:
        SourceError: the language model cannot be fetched, or the weights were trained on another file.
        LanguageError: llama.cpp is not installed.
    """
    learned = read_learned(weights_file(language))
    expected = REQUANTIZED[language.quantization]
    if learned.about.get("gguf_sha256") != expected:
        raise SourceError(
            f"{language.weights} was trained on a GGUF with sha256 {learned.about.get('gguf_sha256')}, the "
            f"preset's {language.quantization} is {expected}.",
            "Use the quantization that it was trained on, or train again: python -m models.train",
        )
    source = fetch_smollm2(language.quantization)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"SmolLM2-135M-Instruct.{language.quantization}.gguf"
    _copied(source, folder / name)
    _write_rows(learned, "learner.base", folder / BASE_ROWS_FILE)
    return Language(
        gguf=name,
        base_rows=BASE_ROWS_FILE,
        part_rows=part_rows(learned),
        architecture=_ARCHITECTURE,
        embedding_width=learned.tensors["learner.base"].shape[1],
        trained=dict(learned.about),
    )


def is_language_up_to_date(manifest: Manifest, language: LanguagePreset | None) -> bool:
    """Whether a bundle has the language half that its preset makes today."""
    if language is None or manifest.language is None:
        return language is None and manifest.language is None
    made_of = manifest.files[manifest.language.gguf].sha256
    learned = read_learned(weights_file(language))
    return made_of == REQUANTIZED[language.quantization] and manifest.language.trained == dict(learned.about)


def _write_rows(learned: TrainedWeights, name: str, target: Path) -> None:
    rows = (learned.tensors[name] * learned.tensors["learner.scale"]).astype(np.float32)
    with written_whole(target) as part, part.open("wb") as file:
        np.save(file, rows, allow_pickle=False)


def _copied(source: Path, target: Path) -> None:
    with written_whole(target) as part:
        shutil.copyfile(source, part)
