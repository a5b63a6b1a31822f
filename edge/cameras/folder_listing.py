"""Which files of a folder are parts, and when a new one is whole."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from edge.cameras.image_file import IMAGE_SUFFIXES

#: A file that may have ended the station waits until no other does, but not longer than this.
_DOUBTFUL_AFTER_S = 60.0

#: So long others wait for its inspection to be kept.
_ALONE_S = 60.0


@dataclass(frozen=True, slots=True)
class PartFile:
    """An image file, the id of the part it shows, and which file it is, as it is now.

    Attributes:
        source: camera, path, size and time of the last change; empty where nobody asks.
        doubtful: the station has ended while this file was under way.
    """

    path: Path
    part_id: str
    source: str = ""
    doubtful: bool = False


class PartMemory(Protocol):
    """What a watched folder's camera knows of the files that it has shown, by their sources."""

    def inspected(self, source: str) -> bool:
        """Whether it has its inspection, or is under way to it in this run."""

    def settled(self, source: str) -> bool:
        """Whether its inspection is kept."""

    def deaths(self, source: str) -> int:
        """How often the station ended while it was under way."""

    def begin(self, source: str) -> None:
        """It is opened next."""

    def forget(self, sources: Iterable[str]) -> None:
        """These files are gone from the folder, or were written anew."""


def list_parts(folder: Path, subfolders: bool) -> list[PartFile]:
    """The folder's image files in the order of their paths.

    A part's id is its path below the folder without the suffix; files that would share it keep
    their suffixes.

    Raises:
        OSError: a folder cannot be listed.
    """
    paths = sorted(_image_paths(folder, subfolders))
    return _name_parts(folder, paths, among=paths)


class FolderWatch:
    """The folder's files as they become whole, forever; None where there is none just now.

    A file counts as whole when its size and time stood still for ``settle_s``. Iterating raises
    OSError while the folder cannot be listed, and may go on afterwards.

    With a memory, what was inspected before is passed over. A file that was under way when the
    station ended comes after all others, and nothing comes after it until its inspection is kept: if
    it ends the station again, it is known which one it was, and all others have been inspected.

    Args:
        camera: its name; sources begin with it.
        memory: of this folder; None: every file of the folder is new.
    """

    # A folder of a hundred thousand files takes a while to look through: looking never takes
    # more than a quarter of the time.
    _LOOK_SHARE = 4

    def __init__(
        self,
        folder: Path,
        subfolders: bool,
        settle_s: float,
        camera: str = "",
        memory: PartMemory | None = None,
    ) -> None:
        self._folder = folder
        self._subfolders = subfolders
        self._settle_s = settle_s
        self._taken: dict[Path, _Stamp] = {}
        self._settling: dict[Path, tuple[_Stamp, float]] = {}
        self._ready: deque[PartFile] = deque()
        self._next_look = 0.0
        self._camera = camera
        self._memory = memory
        self._doubtful: deque[PartFile] = deque()
        self._doubtful_from_s = time.monotonic() + _DOUBTFUL_AFTER_S
        self._alone: PartFile | None = None
        self._alone_until_s = 0.0
        self._root: tuple[int, int] | None = None

    def __iter__(self) -> Iterator[PartFile | None]:
        return self

    def __next__(self) -> PartFile | None:
        began = time.monotonic()
        if not self._ready and began >= self._next_look:
            self._look()
            now = time.monotonic()
            self._next_look = now + self._LOOK_SHARE * (now - began)
        if self._is_alone(began):
            return None
        if self._doubtful and (not self._ready or began >= self._doubtful_from_s):
            self._alone = self._doubtful.popleft()
            self._alone_until_s = began + _ALONE_S
            return self._alone
        return self._ready.popleft() if self._ready else None

    def _is_alone(self, now_s: float) -> bool:
        """Whether the last file may end the station and has not been inspected yet."""
        if self._alone is None or self._memory is None:
            return False
        if now_s < self._alone_until_s and not self._memory.settled(self._alone.source):
            return True
        self._alone = None
        return False

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
        self._forget(present)
        self._taken = {path: stamp for path, stamp in self._taken.items() if path in present}
        self._taken.update((path, stamp) for stamp, path in whole)
        stamps = {path: stamp for stamp, path in sorted(whole)}
        for part in _name_parts(self._folder, stamps, among=present):
            self._show(part, stamps[part.path])

    def _show(self, part: PartFile, stamp: _Stamp) -> None:
        if self._memory is None:
            self._ready.append(part)
            return
        source = self._source(part.path, stamp)
        if self._memory.inspected(source):
            return
        doubtful = self._memory.deaths(source) > 0
        (self._doubtful if doubtful else self._ready).append(replace(part, source=source, doubtful=doubtful))

    def _forget(self, present: Mapping[Path, _Stamp]) -> None:
        """Forget the files that are gone; where the whole folder is another one, they will be back."""
        if self._memory is None:
            return
        stat = self._folder.stat()
        root = (stat.st_dev, stat.st_ino)
        self._root = self._root or root
        gone = [(path, stamp) for path, stamp in self._taken.items() if present.get(path) != stamp]
        if gone and root == self._root:
            self._memory.forget([self._source(path, stamp) for path, stamp in gone])

    def _source(self, path: Path, stamp: _Stamp) -> str:
        mtime_ns, size, _ = stamp  # a file's inode changes where a network folder is mounted anew
        name = os.fsencode(path.relative_to(self._folder)).decode(errors="backslashreplace")
        return f"{self._camera}:{name}:{size}:{mtime_ns}"


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


def _name_parts(folder: Path, paths: Iterable[Path], among: Iterable[Path]) -> list[PartFile]:
    shared = Counter(path.with_suffix("") for path in among)
    return [
        PartFile(
            path,
            (path if shared[path.with_suffix("")] > 1 else path.with_suffix(""))
            .relative_to(folder)
            .as_posix(),
        )
        for path in paths
    ]
