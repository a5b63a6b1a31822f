"""The image files that a command line names: files as they are, folders as their images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

from edge.cameras import IMAGE_SUFFIXES, Frame, read_image
from edge.errors import FrameError


def image_files(paths: Sequence[Path]) -> list[Path]:
    """The files among ``paths``, and the images in the folders among them, sorted by name.

    Raises:
        FrameError: a folder without an image in it.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        inside = sorted(file for file in path.iterdir() if _is_image(file))
        if not inside:
            raise FrameError(
                f"There is no image in the folder {path}.",
                f"Name a folder that holds some ({', '.join(sorted(IMAGE_SUFFIXES))}).",
            )
        files += inside
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


def _is_image(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
