"""Image files: encoded, written whole or not at all, and removed.

A file appears under its name only when it is complete and on the disk, so that no crash leaves a
half-written image that looks like one.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import FrameError, RecordsError
from edge.image_bytes import encode_image
from edge.whole_file import write_whole

if TYPE_CHECKING:
    from edge.image_types import Image


def write_image(path: Path, image: Image) -> int:
    """Encode ``image`` by the path's suffix and write it; the number of bytes on the disk.

    Raises :class:`RecordsError` with the reason (a full disk, missing rights); nothing is left then.
    """
    try:
        data = encode_image(image, path.suffix.lower())
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data, durable=True)
    except FrameError as error:
        raise RecordsError(error.message, error.remedy) from error
    except OSError as error:
        raise RecordsError(
            f"An image cannot be written to {path}: {error.strerror or error}.",
            "Check the folder's free space and permissions.",
        ) from error
    return len(data)


def remove(paths: Iterable[Path]) -> None:
    """Delete files, and the folders that they leave empty. What is gone already is fine.

    Raises :class:`RecordsError` for a file that cannot be deleted.
    """
    folders = set()
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise RecordsError(
                f"An image cannot be deleted: {path}: {error.strerror or error}.",
                "Give the station's account permission to delete files there.",
            ) from error
        folders.add(path.parent)
    for folder in folders:
        # rmdir is the question and the answer in one: it refuses a folder that holds anything.
        with suppress(OSError):
            folder.rmdir()


def newest_day_folders(images_dir: Path, count: int = 2) -> list[Path]:
    """The last day folders by name: where a crash can have left files that no row knows."""
    if not images_dir.is_dir():
        return []
    return sorted(folder for folder in images_dir.iterdir() if folder.is_dir())[-count:]
