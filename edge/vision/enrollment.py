"""Learning a product from its references: one to a few good parts, nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import EngineError, FrameError, ProductError
from edge.image_types import Array, Image, check_image
from edge.progress import Progress
from edge.tools import command_line
from edge.vision.bank import coreset
from edge.vision.calibration import TYPICAL_CONTRAST, TYPICAL_SIZE, Evidence, calibrate
from edge.vision.engine import Encoded, Engine
from edge.vision.memory import Memory, as_float32
from edge.vision.self_similarity import self_similarity_score
from edge.vision.simulate import SimulatedDefect, simulate_many
from edge.vision.views import TURNS_DEG, everyday_view, turned

_T = TypeVar("_T")


ROTATIONS = ("none", "90", "fine")

BANK_ROWS = 1024
"""Rows of a bank: matching them costs a few percent of the encoder."""

_DEFECTS = 56
_VIEWS = 8
# References tried in other orientations; more would only say the same again.
_TURNED_REFERENCES = 2
# By how much a richer set of orientations must explain the references better: the best of several
# tries is always a little better.
_WORTH_TURNING = 0.9
_RAW_SCALE = as_float32([0, 1])
_RAW_BOUNDARY = as_float32([1])

TEXT_WEIGHT = 2.0
"""What the text map counts for beside the reference map.

A patch that scores as wholly abnormal in words, where the good patch that it matches is not at all, is worth
this many times the distance that a good part's places have to each other, divided by the root of the
number of references: the more good parts were seen, the less words are needed. Measured on validation
products of training: image AUROC .920 (1 reference) without words, .934 with a weight of 2.
"""


def enroll(
    engine: Engine,
    images: Sequence[Image],
    *,
    bundle_id: str,
    rotations: str = "auto",
    seed: int = 0,
    bank_rows: int | None = BANK_ROWS,
    progress: Progress | None = None,
) -> Memory:
    """Learns a product.

    Args:
        engine: of the bundle that will inspect.
        images: good parts, uint8 (H, W) or (H, W, 3) BGR; one is enough, more are better.
        bundle_id: recorded, so that another bundle refuses this memory.
        rotations: ``none``, ``90`` (parts come in quarter turns), ``fine`` (in any orientation), or
            ``auto``: whichever explains the references best. One reference cannot tell: ``none``.
        seed: of the simulated defects and views; the same seed gives the same memory.
        bank_rows: how many good patches to keep; None keeps all.
        progress: called as the work goes on.

    Raises:
        ProductError: no image, or an unknown kind of rotations.
        FrameError: an image that cannot be inspected.
    """
    if not images:
        raise ProductError("There is no reference to learn from.", "Give at least one image of a good part.")
    if rotations not in ("auto", *ROTATIONS):
        raise ProductError(
            f"Rotations are auto, {', '.join(ROTATIONS)}; not {rotations!r}.", "Leave it at auto if unsure."
        )
    for number, image in enumerate(images, 1):
        try:
            check_image(image)
        except FrameError as error:
            raise FrameError(f"Reference {number}: {error.message}", error.remedy) from error
    enrollment = _Enrollment(engine, images, seed, bank_rows, progress or (lambda *_: None))
    return enrollment.learn(bundle_id, rotations)


def graph_memory(engine: Engine, **arrays: Array) -> dict[str, Array]:
    """Those of the arrays that the engine's graph takes.

    Raises:
        EngineError: it takes one that this program does not know.
    """
    unknown = set(engine.memory_shapes) - set(arrays)
    if unknown:
        raise EngineError(
            f"The bundle's graph takes {', '.join(sorted(unknown))}, which this version does not know.",
            f"Build the bundle again with this version: {command_line('build_engines', 'build')}",
        )
    return {name: arrays[name] for name in engine.memory_shapes}


@dataclass(frozen=True, eq=False, slots=True)
class _Bank:
    """Good patches: features (rows, width), and the share of *abnormal* that each shows, (rows,)."""

    features: Array
    text: Array

    def rows(self, chosen: npt.NDArray[np.intp]) -> _Bank:
        return _Bank(np.ascontiguousarray(self.features[chosen]), np.ascontiguousarray(self.text[chosen]))


def _joined(views: Sequence[Encoded]) -> _Bank:
    """All patches of some views; where the graph has no text decoder, none scores as abnormal."""
    texts = [np.zeros(len(v.features), np.float32) if v.text is None else v.text for v in views]
    return _Bank(np.concatenate([v.features for v in views]), np.concatenate(texts))


class _Enrollment:
    """One product's enrollment: the features made so far and where they came from."""

    def __init__(
        self, engine: Engine, images: Sequence[Image], seed: int, bank_rows: int | None, progress: Progress
    ) -> None:
        self._engine = engine
        self._shape = (images[0].shape[0], images[0].shape[1])
        self._images = [_at_most(image, engine.input_size) for image in images]
        self._seed = seed
        self._bank_rows = bank_rows
        self._progress = progress
        self._encoded = [engine.encode(image) for image in self._counted(self._images, "reading references")]
        self._text_worth = as_float32([0])

    def learn(self, bundle_id: str, rotations: str) -> Memory:
        if rotations == "auto":
            rotations = self._explaining_rotations()
        self._text_worth = self._worth_of_text()
        bank, owners = self._bank(TURNS_DEG[rotations])
        evidence = self._evidence(bank, owners)
        calibration = calibrate(evidence)
        good = evidence.leave_one_out if evidence.leave_one_out.size else evidence.views
        return Memory(
            arrays=graph_memory(
                self._engine,
                bank=bank.features,
                bank_text=bank.text,
                scale=calibration.scale,
                text_worth=self._text_worth,
                boundary=as_float32([calibration.boundary]),
            ),
            bundle_id=bundle_id,
            references=len(self._images),
            rotations=rotations,
            good_scores=calibration.apply(good),
            defect_scores=calibration.apply(evidence.defects),
            boundary=calibration.boundary,
            shape=self._shape,
        )

    def _explaining_rotations(self) -> str:
        """The simplest set of orientations that explains the references.

        Each reference is turned and scored against the others as they are: where parts lie in
        other orientations, its best turn scores clearly lower than its own pose.
        """
        if len(self._images) < 2:
            return "none"
        angles = TURNS_DEG["fine"]
        tried = range(min(len(self._images), _TURNED_REFERENCES))
        scores = np.empty((len(tried), len(angles)))
        steps = [(i, a) for i in tried for a in range(len(angles))]
        for i, a in self._counted(steps, "trying orientations"):
            others = _joined([e for j, e in enumerate(self._encoded) if j != i])
            view = self._encoded[i] if a == 0 else self._engine.encode(turned(self._images[i], angles[a]))
            scores[i, a] = self._raw_score(view, others)
        logs = np.log(np.maximum(scores, 1e-4))
        best, explained = "none", float(logs[:, 0].mean())
        for kind in ("90", "fine"):
            columns = [angles.index(angle) for angle in TURNS_DEG[kind]]
            score = float(logs[:, columns].min(axis=1).mean())
            if score < explained + np.log(_WORTH_TURNING):
                best, explained = kind, score
        return best

    def _bank(self, angles_deg: Sequence[float]) -> tuple[_Bank, npt.NDArray[np.intp]]:
        """The bank and the reference that each row came from."""
        views: list[Encoded] = []
        owners: list[int] = []
        turns = [(i, angle) for i in range(len(self._images)) for angle in angles_deg]
        for i, angle in self._counted(turns, "building the bank"):
            view = self._encoded[i] if angle == 0 else self._engine.encode(turned(self._images[i], angle))
            views.append(view)
            owners.extend([i] * len(view.features))
        joined = _joined(views)
        kept = coreset(joined.features, self._bank_rows or len(joined.features), self._seed)
        return joined.rows(kept), np.array(owners, np.intp)[kept]

    def _evidence(self, bank: _Bank, owners: npt.NDArray[np.intp]) -> Evidence:
        several = len(self._images) > 1
        banks = self._banks(bank, owners)
        rng = np.random.default_rng(self._seed)
        views: list[float] = []
        if not several:
            for _ in self._counted(range(_VIEWS), "looking at everyday views"):
                view = self._engine.encode(everyday_view(self._images[0], rng))
                views.append(self._raw_score(view, bank))
        defects = simulate_many(self._images, _DEFECTS, self._seed)
        scores: list[float] = []
        for defect in self._counted(defects, "simulating defects"):
            # On the very image that the bank was made of, all but the defect would match exactly.
            shown = defect.image if several else everyday_view(defect.image, rng)
            scores.append(self._raw_score(self._engine.encode(shown), banks[defect.source]))
        typical = [score for score, defect in zip(scores, defects, strict=True) if _is_typical(defect)]
        return Evidence(
            leave_one_out=as_float32(
                [self._raw_score(e, banks[i]) for i, e in enumerate(self._encoded)] if several else []
            ),
            views=as_float32(views),
            self_similarity=as_float32(
                [self_similarity_score(e.features, self._engine.grid) for e in self._encoded]
            ),
            defects=as_float32(scores),
            typical_defects=as_float32(typical or scores),
        )

    def _banks(self, bank: _Bank, owners: npt.NDArray[np.intp]) -> list[_Bank]:
        """What each reference is judged by: the others; a lone one by itself."""
        if len(self._images) == 1:
            return [bank]
        return [bank.rows(np.flatnonzero(owners != i)) for i in range(len(self._images))]

    def _worth_of_text(self) -> Array:
        """What a share of *abnormal* counts for, so that words and references speak on one scale."""
        places = [self_similarity_score(e.features, self._engine.grid) for e in self._encoded]
        weight = TEXT_WEIGHT / math.sqrt(len(self._images))
        return as_float32([weight * float(np.mean(places))])

    def _raw_score(self, encoded: Encoded, bank: _Bank) -> float:
        """The graph's score before calibration."""
        memory = graph_memory(
            self._engine,
            bank=bank.features,
            bank_text=bank.text,
            scale=_RAW_SCALE,
            text_worth=self._text_worth,
            boundary=_RAW_BOUNDARY,
        )
        return self._engine.match(encoded, memory).score

    def _counted(self, items: Sequence[_T], what: str) -> Iterator[_T]:
        self._progress(what, 0, len(items))
        for done, item in enumerate(items, 1):
            yield item
            self._progress(what, done, len(items))


def _is_typical(defect: SimulatedDefect) -> bool:
    return defect.size_fraction >= TYPICAL_SIZE and defect.contrast >= TYPICAL_CONTRAST


def _at_most(image: Image, size: tuple[int, int]) -> Image:
    """The image, shrunk to the engine's input where it is larger: nothing finer is ever seen."""
    height, width = min(image.shape[0], size[0]), min(image.shape[1], size[1])
    if (height, width) == image.shape[:2]:
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
