"""The demo's last act: a short dialogue with the language model about one part."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from edge.bundle import Bundle
from edge.cameras import Frame, read_image
from edge.station.deciding import opened_decider
from edge.station.opening import open_judge
from edge.station.product import Product
from edge.vision.openvino import OpenVinoEngine

QUESTIONS = ("Where is the anomaly?", "What kind of defect is it?", "What should the operator do?")

_PATIENCE_S = 60.0


def dialogue_about(bundle: Bundle, product: Product, image: Path) -> Iterator[tuple[str, str]]:
    """Inspects a part once more and asks about it.

    Yields:
        A question and the model's answer; the first question is empty, its answer the verdict's sentence.

    Raises:
        LanguageError: the language model gave no verdict, or no answer.
    """
    engine = OpenVinoEngine(bundle)
    try:
        with opened_decider(bundle, description=product.description, timeout_s=_PATIENCE_S) as decider:
            judge = open_judge(engine, bundle, product, decider=decider)
            frame = Frame(read_image(image), image.stem, "file", datetime.now(timezone.utc), 1)
            dialogue = judge.judge(frame).dialogue
            if decider is None or dialogue is None:
                return
            yield "", decider.sentence(dialogue)
            for question in QUESTIONS:
                yield question, decider.worker.ask(dialogue, question, timeout_s=_PATIENCE_S).strip()
    finally:
        engine.close()
