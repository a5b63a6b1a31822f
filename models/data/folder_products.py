"""Products from folders of good parts, for those who have images of their own that they may train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import DatasetError
from edge.image_types import Image
from models.data.preview import SUFFIXES, read_images
from models.data.training_parts import ProductSource

_FEWEST = 4


@dataclass(frozen=True, slots=True)
class FolderProduct:
    """One product; its parts are the folder's images in the order of their names, again and again."""

    name: str
    description: str
    files: tuple[Path, ...]

    def good(self, part: int) -> Image:
        """A good part."""
        return read_images(self.files[part % len(self.files)], 1)[0]


def folder_products(folders: Sequence[Path]) -> list[ProductSource]:
    """One product per folder: its ``train/good`` where it has one (the MVTec layout), else itself.

    Raises:
        DatasetError: a folder holds too few images.
    """
    return [_product(folder) for folder in folders]


def _product(folder: Path) -> ProductSource:
    good = folder / "train" / "good"
    place = good if good.is_dir() else folder
    files = tuple(sorted(file for file in place.iterdir() if file.suffix.lower() in SUFFIXES))
    if len(files) < _FEWEST:
        raise DatasetError(
            f"{place} has {len(files)} images; a product for training needs at least {_FEWEST}.",
            "Give a folder of good parts of one product.",
        )
    return FolderProduct(folder.name, f"a {folder.name.replace('_', ' ')}", files)
