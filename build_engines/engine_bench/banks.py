"""What matching costs by the size of the bank, the encoder being 1."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from build_engines.graph.head import uncalibrated_memory
from edge.choices import Precision
from edge.image_types import Image
from edge.vision.engine import Encoded, Engine, MemoryArrays
from edge.vision.enrollment import BANK_ROWS

BANKS = (1024, 4096, 16384)
"""Rows; the first is what enrollment keeps."""

assert BANKS[0] == BANK_ROWS


@dataclass(slots=True)
class BankRun:
    """The samples of one bank, one per round; those of one round are of the same image.

    Attributes:
        match_ms: all that stands behind the encoder: matching, map, score, rows.
        encode_ms: the encoder by precision.
    """

    match_ms: list[float] = field(default_factory=list)
    encode_ms: dict[Precision, list[float]] = field(default_factory=dict)

    @property
    def match_p50_ms(self) -> float:
        return float(np.median(self.match_ms))

    def share(self, precision: Precision) -> float:
        """What matching costs, that precision's encoder being 1: the median over the images."""
        return float(np.median(np.divide(self.match_ms, self.encode_ms[precision])))


def run_banks(
    engines: Mapping[Precision, Engine],
    images: Sequence[Image],
    rounds: int,
    progress: Callable[[str, int, int], None],
    banks: Sequence[int] = BANKS,
) -> dict[int, BankRun]:
    """Each image through every encoder and then against every bank.

    Args:
        engines: of one bundle, by precision; all match in float32, so that one of them does it for all.
        images: uint8 (H, W, 3) at the input size, one per round, from the first again after the last.
        rounds: samples of each kind.
        progress: called before each round.
        banks: numbers of rows.
    """
    runs = {rows: BankRun(encode_ms={precision: [] for precision in engines}) for rows in banks}
    matching = next(iter(engines.values()))
    memories = {rows: _memory(matching, rows) for rows in banks}
    for number in range(rounds + 1):
        progress("matching against banks", number, rounds + 1)
        image = images[number % len(images)]
        encode_ms, encoded = {}, matching.encode(image)
        for precision, engine in engines.items():
            start = time.perf_counter()
            engine.encode(image)
            encode_ms[precision] = (time.perf_counter() - start) * 1e3
        for rows, memory in memories.items():
            match_ms = _match_ms(matching, encoded, memory)
            if number:  # The first round warms up.
                runs[rows].match_ms.append(match_ms)
                for precision, samples in runs[rows].encode_ms.items():
                    samples.append(encode_ms[precision])
    return runs


def _match_ms(engine: Engine, encoded: Encoded, memory: MemoryArrays) -> float:
    """One match at the second go: the first hands the bank over, as a change of the product does."""
    engine.match(encoded, memory)
    start = time.perf_counter()
    engine.match(encoded, memory)
    return (time.perf_counter() - start) * 1e3


def _memory(engine: Engine, rows: int) -> MemoryArrays:
    features = np.random.default_rng(rows).standard_normal((rows, engine.feature_width), np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    return uncalibrated_memory(engine.memory_shapes, features)
