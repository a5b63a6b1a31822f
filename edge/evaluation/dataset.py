"""Folders of images whose truth is known, in the layout of MVTec AD.

CATEGORY/train/good/*             references are drawn from here
CATEGORY/test/good/*              good parts to judge
CATEGORY/test/DEFECT/*            defective parts to judge, one folder per kind of defect
CATEGORY/ground_truth/DEFECT/*    their masks, STEM_mask.png or STEM.png; any may be missing
CATEGORY/description.txt          what a good part looks like, in words; may be missing
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.bounded import SMALL_FILE_BYTES, read_regular
from edge.cameras import IMAGE_SUFFIXES, read_image
from edge.errors import DatasetError, FrameError

GOOD = "good"
DESCRIPTION_FILE = "description.txt"
_LAYOUT = "A category holds train/good, test/good, test/<defect> and, where known, ground_truth/<defect>."


@dataclass(frozen=True, slots=True)
class TestPart:
    """One image of the test set.

    Attributes:
        path: of the image.
        kind: name of its folder: ``good`` or a kind of defect.
        mask: where its defective pixels are marked; None for a good part and where nobody drew one.
    """

    __test__ = False  # pytest: this is no test

    path: Path
    kind: str
    mask: Path | None

    @property
    def defective(self) -> bool:
        """Whether the part should be called ng."""
        return self.kind != GOOD


@dataclass(frozen=True, slots=True)
class Category:
    """One product of a dataset.

    Attributes:
        name: of its folder.
        train: good images that references are drawn from, sorted.
        test: what is judged, sorted by kind, then by name.
        description: what a good part looks like, for the language model; empty where nobody said.
    """

    name: str
    train: tuple[Path, ...]
    test: tuple[TestPart, ...]
    description: str = ""

    def references(self, shots: int, seed: int) -> list[Path]:
        """The ``shots`` references of a seed: ``random.Random(seed).sample(sorted(train/good), shots)``.

        Raises:
            DatasetError: there are fewer good images than that.
        """
        if shots > len(self.train):
            has = len(self.train)
            raise DatasetError(
                f"{self.name}: {shots} references are requested, but train/good has only {has} images.",
                "Use fewer --shots.",
            )
        return random.Random(seed).sample(self.train, shots)

    def limited(self, limit: int) -> Category:
        """The category with at most ``limit`` test images: half of them good where there are as many,
        each half spread evenly over its images, so that every kind of defect keeps its share."""
        good = [part for part in self.test if not part.defective]
        defective = [part for part in self.test if part.defective]
        of_good = min(len(good), max(limit // 2, limit - len(defective)))
        chosen = {*_spread(good, of_good), *_spread(defective, limit - of_good)}
        return replace(self, test=tuple(part for part in self.test if part in chosen))


def find_categories(paths: Sequence[Path]) -> list[Category]:
    """The categories in ``paths``, each a category's folder or a folder of them.

    Raises:
        DatasetError: a path that is neither, a category without what judging needs, a name twice.
    """
    folders = [folder for path in paths for folder in _category_folders(path)]
    by_name: dict[str, Path] = {}
    for folder in folders:
        name = folder.resolve().name
        if name in by_name:
            raise DatasetError(
                f"Two categories are called {name!r}: {by_name[name]} and {folder}.",
                "Evaluate them one by one, or rename a folder.",
            )
        by_name[name] = folder
    return [_read_category(name, folder) for name, folder in by_name.items()]


def read_mask(part: TestPart, shape: tuple[int, int]) -> npt.NDArray[np.bool_] | None:
    """The defective pixels of a part, bool (H, W); None where they are not known.

    A good part has none. A pixel is defective where the mask is brighter than half of its brightest
    pixel, so that 0/1 and 0/255 masks read alike.

    Args:
        part: the part.
        shape: (H, W) of its image.

    Raises:
        DatasetError: a mask that cannot be read, has another size than the image, or marks nothing.
    """
    if not part.defective:
        return np.zeros(shape, np.bool_)
    if part.mask is None:
        return None
    try:
        mask = read_image(part.mask)
    except FrameError as error:
        raise DatasetError(f"A mask cannot be used. {error.message}", error.remedy) from error
    if mask.ndim == 3:
        mask = mask.max(axis=2)
    if mask.shape != shape:
        raise DatasetError(
            f"{part.mask}: the mask is {mask.shape[1]}×{mask.shape[0]}, its image {part.path.name} is "
            f"{shape[1]}×{shape[0]}.",
            "Make it the same size as the image, or remove it: masks may be missing.",
        )
    if not mask.any():
        raise DatasetError(
            f"{part.mask}: the mask marks no pixel, although its image is in {part.kind!r}.",
            "Move the image to test/good, or remove the mask: masks may be missing.",
        )
    marked: npt.NDArray[np.bool_] = mask > mask.max() / 2
    return marked


def _category_folders(path: Path) -> list[Path]:
    if not path.is_dir():
        raise DatasetError(f"{path}: there is no such folder.", _LAYOUT)
    if _is_category(path):
        return [path]
    inside = sorted(folder for folder in path.iterdir() if folder.is_dir() and _is_category(folder))
    if not inside:
        raise DatasetError(f"{path}: neither a category nor a folder of categories.", _LAYOUT)
    return inside


def _is_category(folder: Path) -> bool:
    return (folder / "train").is_dir() and (folder / "test").is_dir()


def _read_category(name: str, folder: Path) -> Category:
    train = tuple(_images(folder / "train" / GOOD))
    if not train:
        raise DatasetError(
            f"{folder}: train/good has no images.", "Add good images: the references are drawn from there."
        )
    kinds = sorted(kind for kind in (folder / "test").iterdir() if kind.is_dir())
    test = tuple(
        TestPart(path, kind.name, _mask_of(path, folder / "ground_truth" / kind.name))
        for kind in kinds
        for path in _images(kind)
    )
    if not test:
        raise DatasetError(f"{folder}: test has no images.", _LAYOUT)
    return Category(name, train, test, _read_description(folder / DESCRIPTION_FILE))


def _read_description(path: Path) -> str:
    if not path.is_file():
        return ""
    try:
        return " ".join(read_regular(path, SMALL_FILE_BYTES).decode("utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}.", "Write it as plain text in UTF-8.") from error


def _images(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            # A hidden file is a file browser's, not a camera's.
            if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file():
                yield path


def _mask_of(image: Path, folder: Path) -> Path | None:
    for suffix in sorted(IMAGE_SUFFIXES, key=lambda s: s != ".png"):
        for stem in (f"{image.stem}_mask", image.stem):
            if (folder / (stem + suffix)).is_file():
                return folder / (stem + suffix)
    return None


def _spread(parts: Sequence[TestPart], count: int) -> list[TestPart]:
    count = min(count, len(parts))
    return [parts[(2 * i + 1) * len(parts) // (2 * count)] for i in range(count)]
