"""The demo's last act: a short dialogue with the language model about one part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge.bundle import Bundle
from edge.cameras import read_image
from edge.station.conversation import opened_conversation
from edge.station.product import Product
from edge.terminal.image_files import file_frame
from edge.vision.opening import open_engine

QUESTIONS = ("Where is it?", "How large is it?", "What should the operator do?")


def dialogue_about(bundle: Bundle, product: Product, image: Path) -> Iterator[tuple[str, str]]:
    """Inspects a part once more and asks about it.

    Yields:
        A question and the model's answer; the first question is empty, its answer the verdict's sentence.

    Raises:
        LanguageError: the language model gave no verdict, or no answer.
    """
    engine = open_engine(bundle)
    try:
        frame = file_frame(image, read_image(image))
        with opened_conversation(engine, bundle, product, frame) as conversation:
            yield "", conversation.inspection.words
            for question in QUESTIONS:
                yield question, conversation.ask(question)
    finally:
        engine.close()
