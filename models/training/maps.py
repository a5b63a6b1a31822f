"""The maps that the reader learns from: products enrolled as a station does, and parts of them judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.facts import COUNTS, PLACES, SHAPES, SIZES, PartFacts, facts_of_mask
from edge.image_types import Mask
from edge.progress import Progress
from edge.vision.enrollment import enroll
from edge.whole_file import written_whole
from models.data.training_parts import ProductSource, TrainingPart, anomalous_part, good_part
from models.training.training_engine import TrainingEngine

SHOTS = (1, 1, 2, 4, 8)
GOOD_PARTS, ANOMALOUS_PARTS = 8, 12
_FIRST_TEST_PART = 1000  # Far from the numbers of the references.
_SEEN_FROM = 0.5  # Of the boundary: below it, nothing on the map says where the anomaly is.


@dataclass(frozen=True, eq=False, slots=True)
class Maps:
    """Judged parts, one row each.

    Attributes:
        maps: float32 (n, 48, 48), the verdict's boundary at 1.
        scores: float32 (n,), likewise.
        images: float32 (n, width), the images' embeddings, of length 1.
        anomalous: bool (n,).
        seen: bool (n,), whether the anomaly stands out of the map at all, so that its facts can be read.
        count, place, size, shape: int64 (n,), indices of the facts' words.
        places: bool (n, 9).
        product: int64 (n,); shots: int64 (n,), the references it was enrolled with.
    """

    maps: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    images: npt.NDArray[np.float32]
    anomalous: npt.NDArray[np.bool_]
    seen: npt.NDArray[np.bool_]
    count: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]
    size: npt.NDArray[np.int64]
    shape: npt.NDArray[np.int64]
    places: npt.NDArray[np.bool_]
    product: npt.NDArray[np.int64]
    shots: npt.NDArray[np.int64]

    def save(self, path: Path) -> None:
        """Writes one ``.npz`` file."""
        with written_whole(path) as part, part.open("wb") as file:
            np.savez(file, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Maps:
        """Reads what :meth:`save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(**{field.name: stored[field.name] for field in fields(cls)})

    def of(self, chosen: npt.NDArray[np.bool_]) -> Maps:
        """The rows that are chosen, bool (n,)."""
        return Maps(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


def judged_maps(
    products: Sequence[ProductSource], engine: TrainingEngine, seed: int, progress: Progress, save: Path
) -> Maps:
    """Enrolls each product once, with one to eight references, and judges twenty parts of it.

    What is done is kept in ``save`` every few products, and a later call goes on from there.
    """
    rows: dict[str, list[object]] = {field.name: [] for field in fields(Maps)}
    done = -1
    if save.exists():
        held = Maps.load(save)
        rows = {name: list(getattr(held, name)) for name in rows}
        done = int(held.product.max(initial=-1))
    for number, product in enumerate(products):
        if number <= done:
            continue
        progress("judging parts", number, len(products))
        rng = np.random.default_rng([seed, number])
        shots = int(rng.choice(SHOTS))
        references = [product.good(part) for part in range(shots)]
        # Without trying orientations, which takes as long as all the rest: parts then vary the more.
        memory = enroll(engine, references, bundle_id="training", rotations="none", seed=number)
        for part in _parts_of(product, rng):
            encoded = engine.encode(part.image)
            output = engine.match(encoded, memory.arrays)
            mean = encoded.features.mean(0)
            row = facts_row(facts_of_mask(part.mask))
            row |= {
                "maps": output.map / memory.boundary,
                "scores": np.float32(output.score / memory.boundary),
                "images": (mean / np.linalg.norm(mean)).astype(np.float32),
                "anomalous": part.anomalous,
                "seen": part.anomalous and _is_seen(output.map / memory.boundary, part.mask),
                "product": number,
                "shots": shots,
            }
            for name, value in row.items():
                rows[name].append(value)
        if number % 10 == 9 or number == len(products) - 1:
            stacked(rows).save(save)
    return stacked(rows)


def _parts_of(product: ProductSource, rng: np.random.Generator) -> list[TrainingPart]:
    first = _FIRST_TEST_PART
    parts = [good_part(product, first + i) for i in range(GOOD_PARTS)]
    first += GOOD_PARTS
    return parts + [anomalous_part(product, first + i, rng) for i in range(ANOMALOUS_PARTS)]


def _is_seen(shown: npt.NDArray[np.float32], mask: Mask) -> bool:
    """Whether the map's peak lies on the anomaly or right beside it, and is not lost in the noise."""
    row, column = np.unravel_index(int(shown.argmax()), shown.shape)
    near = cv2.dilate(cv2.resize(mask, shown.shape[::-1], interpolation=cv2.INTER_AREA), np.ones((5, 5)))
    return bool(near[row, column] > 0 and shown.max() >= _SEEN_FROM)


def facts_row(facts: PartFacts) -> dict[str, object]:
    """Facts as the columns of :class:`Maps`; a good part's say nothing."""
    if not facts.anomalous:
        facts = PartFacts(COUNTS[0], PLACES[0], frozenset(), SIZES[0], SHAPES[0])
    return {
        "count": COUNTS.index(facts.count),
        "place": PLACES.index(facts.place),
        "size": SIZES.index(facts.size),
        "shape": SHAPES.index(facts.shape),
        "places": np.array([place in facts.places for place in PLACES]),
    }


def stacked(rows: dict[str, list[object]]) -> Maps:
    """Columns, as lists of rows, as one."""
    types = {field.name: str(field.type) for field in fields(Maps)}
    return Maps(
        **{
            name: np.asarray(values, _DTYPES[next(key for key in _DTYPES if key in types[name])])
            for name, values in rows.items()
        }
    )


_DTYPES = {"float32": np.float32, "bool_": np.bool_, "int64": np.int64}
