"""Teaching the reader: maps of enrolled products, with the truth of every simulated anomaly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from edge.progress import Progress
from models.heads.reader import Reader, Readings
from models.training.maps import Maps

_BATCH = 128
_SLIGHT = 0.12  # Noise on ln(scale) of a map: a product's calibration is an estimate.
# Good parts count more than anomalous ones: one false alarm in twenty parts stops a line.


@dataclass(frozen=True, eq=False, slots=True)
class ReaderFigures:
    """How a reader does on maps; shares from 0 to 1.

    Attributes:
        balanced: of the verdicts, which are the score's; None where all parts are good or none is.
        count, place, places, size, shape: of the anomalies that stand out; None where none does.
    """

    balanced: float | None
    count: float | None
    place: float | None
    places: float | None
    size: float | None
    shape: float | None


def train_reader(
    reader: Reader, lessons: Sequence[Maps], steps: int, seed: int, progress: Progress
) -> list[float]:
    """Trains the reader in place, each step on maps of every lesson alike; the loss of each step."""
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(reader.parameters(), lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    losses = []
    for step in range(steps):
        progress("training the reader", step, steps)
        loss = torch.zeros(())
        for maps in lessons:
            batch = _varied(maps.of(_chosen(len(maps.scores), rng)), rng)
            loss = loss + reader_loss(reader(_tensor(batch.maps), _tensor(batch.scores)), batch) / len(
                lessons
            )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def reader_loss(readings: Readings, truth: Maps) -> torch.Tensor:
    """Cross entropy of the facts of anomalies that stand out of the map; 0 where none does."""
    seen = torch.from_numpy(truth.seen)
    loss = 0 * readings.count.sum()
    if not seen.any():
        return loss
    for name in ("count", "place", "size", "shape"):
        wanted = torch.from_numpy(getattr(truth, name))
        loss = loss + functional.cross_entropy(getattr(readings, name)[seen], wanted[seen])
    held = torch.from_numpy(truth.places.astype(np.float32))
    return loss + 2 * functional.binary_cross_entropy_with_logits(readings.places[seen], held[seen])


@torch.no_grad()
def reader_figures(reader: Reader, maps: Maps) -> ReaderFigures:
    """The figures on maps of products that the reader has not seen."""
    readings = reader(_tensor(maps.maps), _tensor(maps.scores))
    seen = maps.seen

    def share(right: npt.NDArray[np.bool_]) -> float | None:
        return float(right[seen].mean()) if seen.any() else None

    def right(name: str) -> float | None:
        return share(getattr(readings, name).argmax(1).numpy() == getattr(maps, name))

    held = (readings.places > 0).numpy() == maps.places
    return ReaderFigures(
        balanced=_balanced(readings.evidence.numpy() > 0, maps.anomalous),
        count=right("count"),
        place=right("place"),
        places=share(held),
        size=right("size"),
        shape=right("shape"),
    )


def _balanced(said: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> float | None:
    if truth.all() or not truth.any():
        return None
    return float((said[truth].mean() + (~said[~truth]).mean()) / 2)


def _chosen(count: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    chosen = np.zeros(count, bool)
    chosen[rng.choice(count, min(_BATCH, count), replace=False)] = True
    return chosen


def _varied(maps: Maps, rng: np.random.Generator) -> Maps:
    """The batch turned and mirrored as one, and each map a little louder or fainter."""
    turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
    grid = np.arange(9).reshape(3, 3)
    turned = np.rot90(grid, turns)
    shown = np.rot90(maps.maps, turns, axes=(1, 2))
    if mirrored:
        turned, shown = turned[:, ::-1], shown[:, :, ::-1]
    source = turned.ravel()  # The place that now lies at each place.
    moved_to = np.argsort(source)
    gain = np.exp(rng.normal(0, _SLIGHT, len(maps.scores))).astype(np.float32)
    return Maps(
        maps=np.ascontiguousarray(shown * gain[:, None, None]),
        scores=maps.scores * gain,
        images=maps.images,
        anomalous=maps.anomalous,
        seen=maps.seen,
        count=maps.count,
        place=moved_to[maps.place],
        size=maps.size,
        shape=maps.shape,
        places=maps.places[:, source],
        product=maps.product,
        shots=maps.shots,
    )


def _tensor(array: npt.NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))
