"""Products to train on: many good parts each, that vary as real ones do.

``python -m models products --out SHEET.png`` draws some of them, with simulated defects.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from edge.errors import DatasetError
from edge.image_types import Image
from edge.vision.simulate import simulate
from models.data.free_images import FreeImage, free_images
from models.data.outlines import OUTLINES
from models.data.parts import ObjectParts, ShapedParts
from models.data.rendered import rendered_products
from models.data.surfaces import SurfaceParts

ProductKind = Literal["surface", "object", "shaped", "rendered"]
KINDS: tuple[ProductKind, ...] = ("surface", "object", "shaped", "rendered")
"""A photographed surface, a photographed cut-out, a shape cut out of a surface, a rendered part."""

_HELD_OUT_OF_256 = 38
"""About 15 % of the pictures are never trained on."""


class GoodParts(Protocol):
    """What makes the good parts of a product."""

    def good(self, part: int) -> Image:
        """A good part, uint8 (448, 448[, 3]): always the same for the same number."""


@dataclass(frozen=True, slots=True)
class TrainingProduct:
    """A product that can be trained on: its good parts, and what they are called.

    Attributes:
        name: of the product; no two of one call share it.
        kind: one of ``KINDS``.
        description: a short phrase with its article, as a prompt would name the part.
        parts: what makes them.
    """

    name: str
    kind: ProductKind
    description: str
    parts: GoodParts

    def good(self, part: int) -> Image:
        """A good part, uint8 (448, 448[, 3]): always the same for the same number."""
        return self.parts.good(part)


def training_products(
    count: int,
    seed: int = 0,
    kinds: Sequence[ProductKind] = KINDS,
    held_out: bool = False,
    images: Sequence[FreeImage] | None = None,
) -> list[TrainingProduct]:
    """``count`` products; kinds take turns, and within a kind the packages that its pictures are from.

    Args:
        count: may be more than there are pictures: one picture then makes several products, each with
            a scale, a light and a variation of its own.
        seed: the same seed and pictures give the same products.
        kinds: to choose from.
        held_out: products for validation; none of their pictures is in any training product.
        images: to make products of (default: all that are free, fetched where need be).

    Raises:
        SourceError: the pictures cannot be fetched.
        DatasetError: there is no picture for a kind.
    """
    needed = set(kinds) - {"rendered"}
    pictures = free_images() if images is None and needed else images or ()
    half = [image for image in pictures if _is_held_out(image) == held_out]
    rng = np.random.default_rng([seed, int(held_out)])
    surfaces = _turns([image for image in half if image.kind == "surface"], rng)
    objects = _turns([image for image in half if image.kind == "object"], rng)
    # The seeds of rendered designs are no pictures, but validation shall see others as well.
    rendered = iter(rendered_products(count, seed=2 * seed + 1_000_000 * held_out + 7))
    outlines = list(OUTLINES)
    products = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        own_seed = int(rng.integers(2**31))
        if kind == "surface":
            image = next(surfaces)
            parts: GoodParts = SurfaceParts(image.path, own_seed)
            description = _surface_words(image)
        elif kind == "object":
            image = next(objects)
            parts = ObjectParts(image.path, next(surfaces).path, own_seed)
            description = _object_words(image)
        elif kind == "shaped":
            shape = outlines[number // len(kinds) % len(outlines)]
            image = next(surfaces)
            parts = ShapedParts(shape, image.path, next(surfaces).path, own_seed)
            description = _with_article(f"{_told(image, _MATERIALS)} {shape} seen from above".strip())
        else:
            parts = product = next(rendered)
            description = _RENDERED_WORDS[product.kind]
        products.append(TrainingProduct(f"{kind}_{number}", kind, description, parts))
    return products


def _is_held_out(image: FreeImage) -> bool:
    """By the picture alone, so that it holds for any number of products and any seed."""
    return hashlib.sha256(image.key.encode()).digest()[0] < _HELD_OUT_OF_256


def _turns(images: Sequence[FreeImage], rng: np.random.Generator) -> Iterator[FreeImage]:
    """Endless: packages by the square root of what they have, and of each all its pictures in turn."""
    by_package: dict[str, list[FreeImage]] = defaultdict(list)
    for image in images:
        by_package[image.package].append(image)
    packages = sorted(by_package)
    if not packages:
        raise DatasetError("There are no images of that kind to train on.", "Choose other kinds.")
    weights = np.sqrt([len(by_package[package]) for package in packages])
    waiting: dict[str, list[FreeImage]] = {package: [] for package in packages}
    while True:
        package = packages[int(rng.choice(len(packages), p=weights / weights.sum()))]
        if not waiting[package]:
            order = rng.permutation(len(by_package[package]))
            waiting[package] = [by_package[package][index] for index in order]
        yield waiting[package].pop()


_MATERIALS = {
    "wood": "wooden", "panelwood": "wooden", "wizwood": "wooden", "plank": "wooden", "bark": "wooden",
    "crate": "wooden", "ecrate": "wooden", "brick": "brick", "brnbrick": "brick", "concr": "concrete",
    "crete": "concrete", "beton": "concrete", "asphalt": "asphalt", "rust": "rusty metal",
    "deeprust": "rusty metal", "met": "metal", "steel": "metal", "iron": "metal", "stainless": "metal",
    "bluemet": "metal", "drkmtl": "metal", "rivet": "metal", "grate": "metal", "container": "metal",
    "carpet": "woven", "textile": "woven", "jute": "woven", "curtain": "woven", "stone": "stone",
    "rock": "stone", "pjrock": "stone", "slate": "stone", "pebble": "stone", "marb": "marble",
    "marmor": "marble", "stucco": "plaster", "plaster": "plaster", "terracot": "clay", "glass": "glass",
}  # fmt: skip
"""What a token of a file's name begins with, and what the thing in it is made of."""

_PLACES = {
    "tile": "tiled", "tilefloor": "tiled", "sand": "sandy", "desert": "sandy", "sahara": "sandy",
    "dirt": "earthen", "soil": "earthen", "mud": "earthen", "ground": "earthen", "grass": "grassy",
    "hedge": "leafy", "snow": "snowy", "ice": "icy", "arctic": "icy", "roof": "roof", "wallpaper": "papered",
    "door": "panelled",
}  # fmt: skip
"""The same for surfaces that no part is made of."""

_RENDERED_WORDS = {
    "round": "a turned part seen from above",
    "rectangular": "a circuit board",
    "printed": "a printed label",
    "metallic": "a brushed metal surface",
    "woven": "a piece of cloth",
    "grainy": "a rough surface",
}


def _told(image: FreeImage, words: Mapping[str, str]) -> str:
    """What the picture's name says; empty where it says nothing of it."""
    tokens = image.words.split()
    return next((said for start, said in words.items() if any(t.startswith(start) for t in tokens)), "")


def _surface_words(image: FreeImage) -> str:
    return _with_article(f"{_told(image, _MATERIALS) or _told(image, _PLACES) or 'textured'} surface")


def _object_words(image: FreeImage) -> str:
    """The caption where it names one thing in a few words, else what is certain."""
    words = image.words
    if words.startswith(("a ", "an ")) and len(words.split()) <= 5:
        return words
    return "a single object"


def _with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeio' else 'a'} {words}"


def contact_sheet(products: Sequence[TrainingProduct], parts: int = 5, tile_px: int = 150) -> Image:
    """Good parts and two simulated defects for each product, two products a line: uint8 (H, W, 3)."""
    rows = [_row(product, parts, tile_px) for product in products]
    if len(rows) % 2:
        rows.append(np.zeros_like(rows[0]))
    sheet: Image = np.vstack([np.hstack(rows[i : i + 2]) for i in range(0, len(rows), 2)])
    return sheet


def _row(product: TrainingProduct, parts: int, tile_px: int) -> Image:
    import cv2

    goods = [product.good(part) for part in range(parts)]
    rng = np.random.default_rng(3)
    defects = [simulate(goods[i], rng, donors=goods[2:]) for i in range(2)]
    tiles = []
    for number, picture in enumerate([*goods, *(defect.image for defect in defects)]):
        tile = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) if picture.ndim == 2 else picture.copy()
        if number >= parts:
            mask = defects[number - parts].mask
            outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(tile, outlines, -1, (0, 0, 255), 2)
        tiles.append(cv2.resize(tile, (tile_px, tile_px), interpolation=cv2.INTER_AREA))
    row: Image = np.hstack(tiles)
    caption = f"{product.name}: {product.description}"
    strip = np.full((16, row.shape[1], 3), 32, np.uint8)
    cv2.putText(strip, caption, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
    return np.vstack([row, strip])
