"""What a thinned bank costs in accuracy: the same parts against all good patches and against fewer.

What it saves is told by ``anomalygpt-edge bench --engines``. Per product, its references are enrolled
once with every patch kept, in the orientations that enrollment finds, and every test part is encoded once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.bundle import Bundle
from edge.cameras import read_image
from edge.evaluation.dataset import Category
from edge.evaluation.metrics import auroc, mean_known
from edge.progress import Progress
from edge.vision.bank import coreset
from edge.vision.engine import Engine, MemoryArrays
from edge.vision.enrollment import enroll

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True, slots=True)
class BankSizeRow:
    """One product.

    Attributes:
        name: of the product.
        all_rows: how many good patches its references gave, in all orientations.
        full: image AUROC of the map's score against all of them; None without parts of both kinds.
        thinned: image AUROC by the number of rows that the coreset kept.
    """

    name: str
    all_rows: int
    full: float | None
    thinned: Mapping[int, float | None]


def judge_bank_sizes(
    engine: Engine,
    bundle: Bundle,
    categories: Sequence[Category],
    shots: int,
    seed: int,
    sizes: Sequence[int],
    progress: Progress,
) -> list[BankSizeRow]:
    """The figures of each product and, last, their means.

    The map's score is linear in its calibration, so that one calibration serves all banks: the order of
    the parts, and with it the AUROC, does not depend on it.

    Raises:
        DatasetError, EngineError, FrameError, ProductError: as an evaluation's.
    """
    rows = [_judged(engine, bundle, category, shots, seed, sizes, progress) for category in categories]
    means = {size: mean_known(row.thinned[size] for row in rows) for size in sizes}
    total = round(float(np.mean([row.all_rows for row in rows])))
    return [*rows, BankSizeRow("mean", total, mean_known(row.full for row in rows), means)]


def _judged(
    engine: Engine,
    bundle: Bundle,
    category: Category,
    shots: int,
    seed: int,
    sizes: Sequence[int],
    progress: Progress,
) -> BankSizeRow:
    images = [read_image(path) for path in category.references(shots, seed)]

    def told(stage: str, done: int, total: int) -> None:
        progress(f"{category.name}: {stage}", done, total)

    memory = enroll(engine, images, bundle_id=bundle.id, bank_rows=None, progress=told).arrays
    everything = len(memory["bank"])
    memories = {size: _thinned(memory, size) for size in (everything, *sizes)}
    scores: dict[int, list[float]] = {size: [] for size in memories}
    for done, part in enumerate(category.test):
        told("judging", done, len(category.test))
        encoded = engine.encode(read_image(part.path))
        for size, against in memories.items():
            scores[size].append(engine.match(encoded, against).score)
    found = {size: auroc(each, [part.defective for part in category.test]) for size, each in scores.items()}
    return BankSizeRow(category.name, everything, found[everything], {size: found[size] for size in sizes})


def _thinned(memory: MemoryArrays, rows: int) -> MemoryArrays:
    """The memory with a bank as enrollment would have thinned it."""
    kept = coreset(memory["bank"], rows, seed=0)
    per_row = {name for name in memory if name in ("bank", "bank_text")}
    return {
        name: np.ascontiguousarray(array[kept]) if name in per_row else array
        for name, array in memory.items()
    }


def bank_sizes_table(rows: Sequence[BankSizeRow]) -> Table:
    """Image AUROC in per cent; of a thinned bank with its difference to the full one."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from edge.evaluation.report import percent

    table = Table(title="Image AUROC of the map, by the rows of the bank", box=SIMPLE_HEAD)
    table.add_column("product", overflow="fold")
    for column in ("patches", "all", *(f"{size:,}" for size in rows[0].thinned)):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(
            row.name,
            f"{row.all_rows:,}",
            percent(row.full),
            *(_with_difference(value, row.full) for value in row.thinned.values()),
            end_section=row is rows[-2],
        )
    return table


def _with_difference(value: float | None, full: float | None) -> str:
    if value is None or full is None:
        return "–"
    return f"{100 * value:.1f} ({100 * (value - full):+.2f})"
