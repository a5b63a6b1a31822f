"""How many tokens a text has for a model: ``python -m edge.language.count_tokens MODEL.gguf < text``.

For a process of its own, as all of llama.cpp: only the model's vocabulary is read.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from edge.errors import LanguageError
from edge.language.library import last_complaint, load

_PATIENCE_S = 60.0


def count_tokens(gguf: Path, text: str) -> int:
    """The tokens of a text, control tokens in it read as text; counted in a child.

    Raises:
        LanguageError: llama.cpp is not installed or cannot read the file.
    """
    command = [sys.executable, "-m", "edge.language.count_tokens", str(gguf)]
    try:
        done = subprocess.run(
            command,
            input=text.encode("utf-8", "replace"),
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LanguageError(f"The tokens of a text cannot be counted: {error}.") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise LanguageError(
            f"The tokens of a text cannot be counted: {said[-1] if said else f'code {done.returncode}'}."
        )
    return int(done.stdout)


def _count(gguf: str, data: bytes) -> int:
    llama = load()
    parameters = llama.llama_model_default_params()
    parameters.vocab_only = True
    model = llama.llama_model_load_from_file(os.fsencode(gguf), parameters)
    if not model:
        raise LanguageError(f"llama.cpp cannot read {gguf}{last_complaint()}.")
    vocabulary = llama.llama_model_get_vocab(model)
    # With no room for them, it says how many there would be, below zero.
    return -int(llama.llama_tokenize(vocabulary, data, len(data), None, 0, False, False))


if __name__ == "__main__":
    print(_count(sys.argv[1], sys.stdin.buffer.read(1_000_000)))
