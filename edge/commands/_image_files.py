"""The image files that a command line names: files as they are, folders as their images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

from edge.cameras import IMAGE_SUFFIXES, Frame, Image, read_image
from edge.errors import FrameError


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
            f"Name a folder that holds some ({', '.join(sorted(IMAGE_SUFFIXES))}).",
        )
    return files


def frames(files: Sequence[Path]) -> Iterator[Frame]:
    """Each file as a frame, read when it is asked for; one that cannot be read is a frame with an error."""
    stems = [file.stem for file in files]
    for number, file in enumerate(files, start=1):
        part_id = file.stem if stems.count(file.stem) == 1 else file.with_suffix("").as_posix()
        captured_at = datetime.now(timezone.utc)
        try:
            yield Frame(read_image(file), part_id, "file", captured_at, number)
        except FrameError as error:
            yield Frame(None, part_id, "file", captured_at, number, error=str(error))


def file_frame(file: Path, image: Image) -> Frame:
    """A single file's image as a frame."""
    return Frame(image, file.stem, "file", datetime.now(timezone.utc), 1)


def _is_image(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
