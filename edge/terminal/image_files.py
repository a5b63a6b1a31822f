"""The image files that a command line names: files as they are, folders as their images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

from edge.cameras import IMAGE_SUFFIXES, Frame, read_image
from edge.cameras.folder_listing import PartFile, name_parts
from edge.errors import FrameError
from edge.image_types import Image

MOST_TOGETHER_BYTES = 800_000_000
"""Sixty images of 4 megapixels in colour: more than a product is ever learned from at once."""


def image_files(paths: Sequence[Path]) -> list[Path]:
    """The files among ``paths``, and the images in the folders among them, sorted by name.

    Raises:
        FrameError: a folder without an image in it.
    """
    files: list[Path] = []
    for path in paths:
        files += images_in(path) if path.is_dir() else [path]
    return files


def images_in(folder: Path) -> list[Path]:
    """The images in a folder, sorted by name.

    Raises:
        FrameError: there is none.
    """
    files = sorted(file for file in folder.iterdir() if _is_image(file))
    if not files:
        raise FrameError(
            f"There is no image in the folder {folder}.",
            f"Give a folder that contains some ({', '.join(sorted(IMAGE_SUFFIXES))}).",
        )
    return files


def read_together(files: Iterable[Path], most_bytes: int = MOST_TOGETHER_BYTES) -> list[Image]:
    """Images that are held in memory at one time, to be learned from.

    Raises:
        FrameError: one cannot be read, or they are more than ``most_bytes`` together.
    """
    images: list[Image] = []
    room = most_bytes
    for file in files:
        images.append(read_image(file))
        room -= images[-1].nbytes
        if room < 0:
            raise FrameError(
                f"The images up to {file} take more than {most_bytes / 1e6:g} MB of memory together.",
                "Give fewer: one to a few good parts are enough, and more can be added with --add.",
            )
    return images


def frames(files: Sequence[Path]) -> Iterator[Frame]:
    """Each file as a frame, read when it is asked for; one that cannot be read is a frame with an error."""
    ids = part_ids(files)
    for number, file in enumerate(files, start=1):
        part_id = ids[file]
        captured_at = datetime.now(timezone.utc)
        try:
            yield Frame(read_image(file), part_id, "file", captured_at, number)
        except FrameError as error:
            yield Frame(None, part_id, "file", captured_at, number, error=str(error))


def part_ids(files: Iterable[Path]) -> dict[Path, str]:
    """The part's id of each file, which is its name without the suffix.

    Files that would share it are told apart by the folders in which they differ, or by their
    suffixes; never by where on this machine they lie.
    """
    places = {file: Path(os.path.abspath(file)) for file in files}  # noqa: PTH100  # as people wrote it
    distinct = list(dict.fromkeys(places.values()))
    by_stem: dict[str, list[Path]] = {}
    for place in distinct:
        by_stem.setdefault(place.stem, []).append(place)
    named = [part for namesakes in by_stem.values() for part in _below_common_folder(namesakes)]
    if len({part.part_id for part in named}) < len(named):
        named = _below_common_folder(distinct)
    ids = {part.path: part.part_id for part in named}
    return {file: ids[place] for file, place in places.items()}


def _below_common_folder(places: Sequence[Path]) -> list[PartFile]:
    return name_parts(Path(os.path.commonpath([place.parent for place in places])), places, among=places)


def file_frame(file: Path, image: Image) -> Frame:
    """A single file's image as a frame."""
    return Frame(image, file.stem, "file", datetime.now(timezone.utc), 1)


def _is_image(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
