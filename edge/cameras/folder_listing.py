"""Which files of a folder are parts, and when a new one is whole."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.cameras.image_file import IMAGE_SUFFIXES


@dataclass(frozen=True, slots=True)
class PartFile:
    """An image file and the id of the part it shows."""

    path: Path
    part_id: str


def list_parts(folder: Path, subfolders: bool) -> list[PartFile]:
    """The folder's image files in the order of their paths.

    A part's id is its path below the folder without the suffix; files that would share it keep
    their suffixes.

    Raises:
        OSError: a folder cannot be listed.
    """
    paths = sorted(_image_paths(folder, subfolders))
    return name_parts(folder, paths, among=paths)


class FolderWatch:
    """The folder's files as they become whole, forever; None where there is none just now.

    A file counts as whole when its size and time stood still for ``settle_s``. Iterating raises
    OSError while the folder cannot be listed, and may go on afterwards.
    """

    # A folder of a hundred thousand files takes a while to look through: looking never takes
    # more than a quarter of the time.
    _LOOK_SHARE = 4

    def __init__(self, folder: Path, subfolders: bool, settle_s: float) -> None:
        self._folder = folder
        self._subfolders = subfolders
        self._settle_s = settle_s
        self._taken: dict[Path, _Stamp] = {}
        self._settling: dict[Path, tuple[_Stamp, float]] = {}
        self._ready: deque[PartFile] = deque()
        self._next_look = 0.0

    def __iter__(self) -> Iterator[PartFile | None]:
        return self

    def __next__(self) -> PartFile | None:
        began = time.monotonic()
        if not self._ready and began >= self._next_look:
            self._look()
            now = time.monotonic()
            self._next_look = now + self._LOOK_SHARE * (now - began)
        return self._ready.popleft() if self._ready else None

    def _look(self) -> None:
        now = time.monotonic()
        present = dict(_stamped(_image_paths(self._folder, self._subfolders)))
        settling: dict[Path, tuple[_Stamp, float]] = {}
        whole: list[tuple[_Stamp, Path]] = []
        for path, stamp in present.items():
            if self._taken.get(path) == stamp:
                continue
            known, since = self._settling.get(path, (stamp, now))
            if known != stamp:
                since = now
            if now - since >= self._settle_s:
                whole.append((stamp, path))
            else:
                settling[path] = (stamp, since)
        self._settling = settling
        # Files that were moved away are forgotten, so that months of parts need no memory.
        self._taken = {path: stamp for path, stamp in self._taken.items() if path in present}
        self._taken.update((path, stamp) for stamp, path in whole)
        paths = [path for _, path in sorted(whole)]
        self._ready.extend(name_parts(self._folder, paths, among=present))


_Stamp = tuple[int, int, int]
"""Time of the last change in ns, size, inode: a file written anew differs in one of them."""


def _stamped(paths: Iterable[Path]) -> Iterator[tuple[Path, _Stamp]]:
    for path in paths:
        try:
            stat = path.lstat()
        except FileNotFoundError:
            continue  # renamed or moved away since the listing
        yield path, (stat.st_mtime_ns, stat.st_size, stat.st_ino)


def _image_paths(folder: Path, subfolders: bool) -> Iterator[Path]:
    for place, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if subfolders and not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES:
                yield Path(place, name)


def _raise(error: OSError) -> None:
    raise error


def name_parts(folder: Path, paths: Iterable[Path], among: Iterable[Path]) -> list[PartFile]:
    """Files with their parts' ids: paths below ``folder``; suffixes only where ``among`` has a namesake."""
    present = set(among)
    shared = Counter(path.with_suffix("") for path in present)

    def named(path: Path) -> Path:
        short = path.with_suffix("")
        return path if shared[short] > 1 or short in present else short

    return [PartFile(path, named(path).relative_to(folder).as_posix()) for path in paths]
