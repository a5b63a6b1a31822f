"""Labelled images of products, to measure the image AUROC on: rendered ones, or a folder's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.cameras import read_image
from edge.evaluation.dataset import find_categories
from edge.image_types import Image
from models.data.rendered import rendered_products

_SEED = 7  # Products that the calibration of int8 has not seen.
_ENROLLED = 1  # Rendered parts tell little of verdicts, and every build waits for them.


@dataclass(frozen=True, slots=True)
class LabelledProduct:
    """One product: a good reference, and parts with whether they are defective.

    Attributes:
        enrolled: whether it is learned in each precision, to compare maps and verdicts: it takes as long as
            65 images.
    """

    name: str
    reference: Image
    parts: Sequence[tuple[Image, bool]]
    enrolled: bool = True


def rendered_set(products: int = 6, parts: int = 12) -> Iterator[LabelledProduct]:
    """Rendered products with ``parts`` good and ``parts`` defective parts each."""
    for number, product in enumerate(rendered_products(products, _SEED)):
        good = [(product.good(1 + part), False) for part in range(parts)]
        bad = [(product.defective(1 + parts + part), True) for part in range(parts)]
        yield LabelledProduct(product.name, product.good(0), good + bad, enrolled=number < _ENROLLED)


def folder_set(folder: Path, limit: int = 40) -> Iterator[LabelledProduct]:
    """The categories of a folder in the MVTec layout, with up to ``limit`` test images each.

    Raises:
        DatasetError: the folder is not in that layout.
        FrameError: an image cannot be read.
    """
    for category in find_categories([folder]):
        tests = category.limited(limit).test
        parts = [(read_image(part.path), part.defective) for part in tests]
        yield LabelledProduct(category.name, read_image(category.references(1, seed=0)[0]), parts)
