"""Photographs and textures whose licence is free, to train on.

They come out of Debian's own packages (``free_images.yaml`` pins them), whose licences Debian's
archive team has checked. ``python -m models free-images`` fetches them and says what there is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import yaml
from pydantic import ValidationError

from edge.errors import SourceError
from edge.fetch import download_bar
from edge.image_types import Image
from edge.whole_file import write_whole
from models.data.debian import IMAGE_SUFFIXES, DebianPackage
from models.data.usable import PictureKind, distances, is_technical, judge, read_picture

_LIST = Path(__file__).with_name("free_images.yaml")
_RULES = 1
"""Counts the changes of what is usable; an index made by other rules is made anew."""

_NEAR_DUPLICATE_BITS = 5


@dataclass(frozen=True, slots=True)
class FreeImage:
    """One picture that may be trained on.

    Attributes:
        path: of the file.
        package: of Debian that it came in.
        licence: of the package's images, as an SPDX expression.
        kind: ``surface`` to crop from, or ``object`` that its alpha channel cuts out.
        words: what it shows, as its caption or file name says, in lower case.
        key: the package and the path inside of it: the same on every machine.
        fingerprint: 64 bits that near-duplicates share but for a few.
    """

    path: Path
    package: str
    licence: str
    kind: PictureKind
    words: str
    key: str
    fingerprint: int


def free_packages(file: Path = _LIST) -> list[DebianPackage]:
    """The pinned packages.

    Raises:
        SourceError: the list cannot be understood.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        return [DebianPackage.model_validate(entry) for entry in content["packages"]]
    except (yaml.YAMLError, ValidationError, KeyError, TypeError) as error:
        raise SourceError(f"{file} is not a list of packages: {error}.", "Correct it there.") from error


def free_images(packages: Sequence[DebianPackage] | None = None) -> list[FreeImage]:
    """All usable images of the packages (default: the pinned ones), near-duplicates left out.

    Fetches what is not in the cache yet, with a progress bar on a terminal.

    Raises:
        SourceError: a package cannot be fetched or is not what it should be.
    """
    images: list[FreeImage] = []
    for package in free_packages() if packages is None else packages:
        with download_bar(package.requirement, package.bytes) as progress:
            folder = package.fetch(progress)
        images += _indexed(package, folder)
    return list(_without_near_duplicates(images))


def _indexed(package: DebianPackage, folder: Path) -> list[FreeImage]:
    """The package's usable images, from the index in its folder or, the first time, by looking at each."""
    file = folder / f"index-{_RULES}.json"
    if not file.is_file():
        entries = [entry for path in _pictures(package, folder) if (entry := _entry(path, folder))]
        write_whole(file, json.dumps(entries, indent=0))
    return [
        FreeImage(
            path=folder / entry["file"],
            package=package.name,
            licence=package.licence,
            kind=entry["kind"],
            words=entry["words"],
            key=f"{package.name}/{entry['file']}",
            fingerprint=int(entry["fingerprint"], 16),
        )
        for entry in json.loads(file.read_text(encoding="utf-8"))
    ]


def _pictures(package: DebianPackage, folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        inside = str(path.relative_to(folder))
        left_out = any(fnmatch(inside, pattern) for pattern in package.leave_out)
        if path.suffix.lower() in IMAGE_SUFFIXES and not left_out and not is_technical(path.stem):
            yield path


def _entry(path: Path, folder: Path) -> dict[str, str] | None:
    picture = read_picture(path)
    usable = None if picture is None else judge(picture)
    if usable is None:
        return None
    return {
        "file": str(path.relative_to(folder)),
        "kind": usable.kind,
        "words": _words(path),
        "fingerprint": f"{usable.fingerprint:016x}",
    }


def _words(path: Path) -> str:
    """The first line of the picture's caption, else its folder's and its own name without numbers."""
    caption = path.with_suffix(".txt")
    if caption.is_file():
        first = caption.read_text(encoding="utf-8", errors="replace").strip().splitlines()[:1]
        if first:
            return first[0].strip().rstrip(".!").lower()
    name = f"{path.parent.name} {path.stem}".lower()
    return " ".join("".join(c if c.isalpha() else " " for c in name).split())


def _without_near_duplicates(images: Sequence[FreeImage]) -> Iterator[FreeImage]:
    """The first of each group of images that look alike, also in another colour."""
    prints = np.array([image.fingerprint for image in images], np.uint64)
    kept: list[int] = []
    for number, image in enumerate(images):
        if not kept or distances(image.fingerprint, prints[kept]).min() > _NEAR_DUPLICATE_BITS:
            kept.append(number)
            yield image


def contact_sheet(images: Sequence[FreeImage], columns: int = 24, rows: int = 20, tile_px: int = 80) -> Image:
    """A sample of the images, evenly over the list: uint8 (H, W, 3); cut-outs stand on magenta."""
    import cv2

    chosen = np.linspace(0, max(0, len(images) - 1), min(len(images), columns * rows)).astype(int)
    sheet = np.full((rows * tile_px, columns * tile_px, 3), 32, np.uint8)
    for place, number in enumerate(chosen):
        picture = read_picture(images[number].path)
        assert picture is not None, images[number].path  # It was read when it was indexed.
        if picture.ndim == 2:
            picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
        if picture.shape[2] == 4:
            alpha = picture[:, :, 3:] / np.float32(255)
            picture = (picture[:, :, :3] * alpha + (1 - alpha) * np.array((255, 0, 255), np.float32)).astype(
                np.uint8
            )
        scale = tile_px / max(picture.shape[:2])
        size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
        tile = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        top, left = place // columns * tile_px, place % columns * tile_px
        sheet[top : top + size[1], left : left + size[0]] = tile
    return sheet
