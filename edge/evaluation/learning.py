"""A product of a dataset, learned from one choice of references by the station's enrollment."""

from __future__ import annotations

from dataclasses import dataclass

from edge.bundle import Bundle
from edge.cameras import read_image
from edge.errors import FrameError
from edge.evaluation.dataset import Category
from edge.progress import Progress
from edge.vision.engine import Engine
from edge.vision.enrollment import choose_view, enroll
from edge.vision.inspector import Inspector
from edge.vision.view import WHOLE_FRAME, View
from edge.vision.zero_shot import zero_shot_memory


@dataclass(frozen=True, eq=False, slots=True)
class EnrolledInspector:
    """A product's inspector.

    Attributes:
        shots, seed: how many references were drawn, and by which seed.
        references: their file names.
        inspector: judges by them.
    """

    shots: int
    seed: int
    references: tuple[str, ...]
    inspector: Inspector


def learn(
    category: Category,
    shots: int,
    seed: int,
    engine: Engine,
    bundle: Bundle,
    progress: Progress | None,
    view: View = WHOLE_FRAME,
    *,
    chooses_view: bool = False,
) -> EnrolledInspector:
    """Enrolls the references that a seed draws; without any, the text map judges alone.

    Args:
        view: through which the images are seen.
        chooses_view: how the part is found is chosen by the references.

    Raises:
        DatasetError: there are fewer good images.
        FrameError: a reference cannot be read or inspected.
        ProductError: the references cannot make a product, or there are none and the bundle has no
            text map.
    """
    if shots == 0:
        return EnrolledInspector(0, seed, (), Inspector(engine, zero_shot_memory(engine, bundle)))
    paths = category.references(shots, seed)
    images = [read_image(path) for path in paths]

    def told(stage: str, done: int, total: int) -> None:
        if progress is not None:
            progress(f"{shots} shots, seed {seed}: {stage}", done, total)

    try:
        if chooses_view:
            view = choose_view(engine, images, view, told).view
        memory = enroll(engine, images, bundle_id=bundle.id, view=view, progress=told)
    except FrameError as error:
        raise FrameError(f"{category.name}: {error.message}", error.remedy) from error
    return EnrolledInspector(shots, seed, tuple(path.name for path in paths), Inspector(engine, memory))
