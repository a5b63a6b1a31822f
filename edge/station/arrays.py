"""The station on numpy arrays, for programs of other people: what ``import edge`` offers.

The classes that judge are the station's own, so an image gets the same verdict here as on the line. Images
are uint8, (H, W) grey or (H, W, 3) BGR as OpenCV reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from edge.bundle import Bundle
from edge.cameras import Frame
from edge.choices import DecidedBy
from edge.errors import LanguageError
from edge.image_types import Image
from edge.paths import data_dir
from edge.station.conversation import LIMITS, PATIENCE_S, begun_conversation
from edge.station.deciding import Decider, opened_decider
from edge.station.judging import Judge, Judged
from edge.station.opening import open_judge
from edge.station.product import Product, check_description
from edge.station.products import Products

if TYPE_CHECKING:
    from edge.inspection import Inspection
    from edge.vision.engine import Engine
    from edge.vision.memory import Memory
    from edge.vision.view import View


class ArrayInspector:
    """Inspects images of one product and answers questions about them. One thread at a time."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._count = 0

    def inspect(self, image: Image, part_id: str = "") -> Inspection:
        """Everything that is known of a part; an image that cannot be inspected has the verdict ``error``.

        Args:
            part_id: what the part is called; default: the number of the image.
        """
        return self.judge(image, part_id).inspection

    def judge(self, image: Image, part_id: str = "") -> Judged:
        """The same, with the anomaly map: float32 (h, w), 0 good and 1 simulated defect."""
        judged = self._judge.judge(self._frame(image, part_id))
        if judged.dialogue is not None and self._judge.decider is not None:
            self._judge.decider.release(judged.dialogue)
        return judged

    def ask(self, image: Image, *questions: str) -> list[str]:
        """The language model's sentence on a part, then its answer to each question, in their order.

        Raises:
            LanguageError: the language model does not decide here, gave no verdict or gave no answer.
        """
        decider = self._judge.decider
        if decider is None:
            raise LanguageError(
                "The calibrated score decides here, so no questions can be answered.",
                "Open the inspector with decided_by='language' and a bundle that has a language half.",
            )
        conversation = begun_conversation(self._judge, decider, self._frame(image, ""))
        try:
            return [conversation.inspection.words, *map(conversation.ask, questions)]
        finally:
            conversation.end()

    def _frame(self, image: Image, part_id: str) -> Frame:
        self._count += 1
        captured_at = datetime.now(timezone.utc)
        return Frame(image, part_id or str(self._count), "array", captured_at, self._count)


@contextmanager
def open_inspector(
    product: str | Sequence[Image],
    *,
    description: str = "",
    bundle: str | None = None,
    decided_by: DecidedBy | None = None,
    folder: Path | None = None,
) -> Iterator[ArrayInspector]:
    """An inspector of a product, with its engine and its language model; both are closed at the end.

    Args:
        product: the name of an enrolled product, or images of good parts, which are learned and not kept.
        description: of the parts on such images, in words; an enrolled product has its own.
        bundle: a bundle's name or folder; None: the default bundle.
        decided_by: ``language``, ``calibration`` or ``either``; None: the language model where the bundle
            has one. Where it gives no verdict the calibrated one stands in, up for review.
        folder: where products live; None: the user's data folder.

    Raises:
        EdgeError: there is no such bundle or product, or the images cannot be learned from.
    """
    with _opened_engine(bundle) as (opened, engine):
        found = Products(data_dir(folder)).get(product) if isinstance(product, str) else None
        described = description if found is None else found.description
        with opened_decider(
            opened,
            decided_by or ("calibration" if opened.manifest.language is None else "language"),
            description=check_description(described, opened),
            limits=LIMITS,
            calibration_stands_in=True,
            timeout_s=PATIENCE_S,
            patience_s=PATIENCE_S,
        ) as decider:
            if found is None:
                assert not isinstance(product, str)
                judge = _judge_of(_learned(engine, opened, product), engine, opened, decider)
            else:
                judge = open_judge(engine, opened, found, decider=decider)
            yield ArrayInspector(judge)


def enroll(
    product: str,
    images: Sequence[Image],
    *,
    description: str | None = None,
    bundle: str | None = None,
    folder: Path | None = None,
) -> Product:
    """Learn a product from images of good parts and keep it, as ``anomalygpt-edge enroll`` does.

    Args:
        product: its name; one that exists gets a new version, and keeps its region.
        images: one to a few.
        description: what a good part looks like; None keeps the one that the product has.
        bundle: a bundle's name or folder; None: the default bundle.
        folder: where products live; None: the user's data folder.

    Raises:
        EdgeError: there is no such bundle, or the name, the images or the description cannot be used.
    """
    with _opened_engine(bundle) as (opened, engine):
        check_description(description or "", opened)
        products = Products(data_dir(folder))
        view = products.view(product)
        return products.enroll(
            product, images, lambda references: _learned(engine, opened, references, view), description
        )


@contextmanager
def _opened_engine(name: str | None) -> Iterator[tuple[Bundle, Engine]]:
    from edge.vision.opening import open_engine

    bundle = Bundle.resolve(name, language_later=True)
    engine = open_engine(bundle)
    try:
        yield bundle, engine
    finally:
        engine.close()


def _learned(engine: Engine, bundle: Bundle, images: Sequence[Image], view: View | None = None) -> Memory:
    from edge.vision.enrollment import enroll as learn
    from edge.vision.view import WHOLE_FRAME

    return learn(engine, images, bundle_id=bundle.id, view=WHOLE_FRAME if view is None else view)


def _judge_of(memory: Memory, engine: Engine, bundle: Bundle, decider: Decider | None) -> Judge:
    from edge.vision.inspector import Inspector

    return Judge(Inspector(engine, memory), station="", product="", bundle=bundle.id, decider=decider)
