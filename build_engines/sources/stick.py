"""A folder that carries files to a machine without a network: the files, and ``files.json`` about them.

The files lie as they lie in the cache. What is taken from a stick is checked against the preset, not against
the stick's own index: that one serves people, and says in errors what is there instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from build_engines.sources import NeededFile
from build_engines.sources.source import Sha256, is_here
from edge.errors import SourceError
from edge.fetch import BytesReceived, download_bar
from edge.whole_file import write_whole, written_whole

INDEX_NAME = "files.json"

_BLOCK_BYTES = 1 << 20
_WRITE_AGAIN = "Write the stick again with --export-to."
_FREE_THE_STICK = "Free some space there, or name another folder."
_FREE_THE_CACHE = "Free some space there, or set ANOMALYGPT_EDGE_CACHE to a folder that can be written."


class _StickPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StickFile(_StickPart):
    """One file of the stick.

    Attributes:
        path: on the stick, with ``/``.
        sha256, bytes: of the file.
        what: in words.
        source: where it came from.
        licence: as the source states it.
        upstream, upstream_licence: what it derives from, where the source is not its author.
    """

    path: str = Field(min_length=1)
    sha256: Sha256
    bytes: int = Field(ge=0)
    what: str
    source: str
    licence: str
    upstream: str = ""
    upstream_licence: str = ""

    @field_validator("path")
    @classmethod
    def _on_the_stick(cls, path: str) -> str:
        parts = PurePosixPath(path).parts
        if path.startswith("/") or "\\" in path or "\0" in path or ".." in parts or not parts:
            raise ValueError(f"{path!r} is no path on the stick")
        return path


class StickIndex(_StickPart):
    """What ``files.json`` says.

    Attributes:
        version: of this layout.
        presets: that it was written for.
        files: on the stick.
    """

    version: Literal[1] = 1
    presets: tuple[str, ...]
    files: tuple[StickFile, ...]


def read_index(folder: Path) -> StickIndex:
    """The index of a stick.

    Raises:
        SourceError: there is none, or it cannot be understood.
    """
    file = folder / INDEX_NAME
    try:
        return StickIndex.model_validate_json(file.read_bytes())
    except FileNotFoundError as error:
        raise SourceError(
            f"{folder} has no {INDEX_NAME}.",
            "Give the folder that `python -m build_engines fetch PRESET --export-to DIR` wrote.",
        ) from error
    except OSError as error:
        raise SourceError(f"Cannot read {file}: {error.strerror}.", "Check the stick.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SourceError(f"{file} cannot be understood: {where}: {first['msg']}.", _WRITE_AGAIN) from error


def export_to(folder: Path, preset: str, files: Mapping[NeededFile, Path]) -> StickIndex:
    """Copies files to a stick; what it holds for other presets stays.

    Args:
        folder: on the stick; made where it is not there.
        preset: that the files are for.
        files: with the place where each lies.

    Raises:
        SourceError: the stick cannot be written, or holds a damaged index.
    """
    old = read_index(folder) if (folder / INDEX_NAME).exists() else StickIndex(presets=(), files=())
    for file, path in files.items():
        target = folder / file.place
        if not is_here(target, file.sha256):
            _copy(path, target, file, _FREE_THE_STICK)
    made = {file.path: file for file in (*old.files, *(_described(folder, file) for file in files))}
    index = StickIndex(
        presets=tuple(sorted({*old.presets, preset})), files=tuple(made[path] for path in sorted(made))
    )
    with _writing(folder, _FREE_THE_STICK):
        write_whole(folder / INDEX_NAME, index.model_dump_json(indent=2) + "\n", durable=True)
    return index


def bring_from(folder: Path, files: Iterable[NeededFile]) -> list[NeededFile]:
    """Copies what is not in the cache yet from a stick to the cache, each file checked by its hash.

    Returns:
        What was copied.

    Raises:
        SourceError: the stick lacks a file, or has a damaged one; what was copied before stays.
    """
    index = read_index(folder)
    held = {file.sha256: file for file in index.files}
    brought = []
    for file in files:
        if is_here(file.path, file.sha256):
            continue
        entry = held.get(file.sha256)
        if entry is None:
            raise SourceError(
                f"{folder} lacks {file.described}; it was written for {', '.join(index.presets)}.",
                "Write it again with this version of the program, for this preset.",
            )
        _copy(folder / entry.path, file.path, file, _FREE_THE_CACHE)
        brought.append(file)
    return brought


def _described(folder: Path, file: NeededFile) -> StickFile:
    return StickFile(
        path=file.place,
        sha256=file.sha256,
        bytes=(folder / file.place).stat().st_size,
        what=file.origin.what,
        source=file.origin.source,
        licence=file.origin.licence,
        upstream=file.origin.upstream,
        upstream_licence=file.origin.upstream_licence,
    )


def _copy(source: Path, target: Path, file: NeededFile, remedy: str) -> None:
    """Copies one file; ``target`` appears whole and right or not at all."""
    digest = hashlib.sha256()
    with (
        _writing(target.parent, remedy),
        download_bar(file.name, file.size) as progress,
        written_whole(target, durable=True) as part,  # a stick is pulled out as soon as the command ends
    ):
        with part.open("wb") as copy:
            for block in _blocks(source, progress):
                digest.update(block)
                copy.write(block)
        if digest.hexdigest() != file.sha256:
            raise SourceError(
                f"{source} is damaged: it has sha256 {digest.hexdigest()}, expected {file.sha256}.",
                _WRITE_AGAIN,
            )


def _blocks(source: Path, progress: BytesReceived) -> Iterator[bytes]:
    done = 0
    try:
        with source.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                done += len(block)
                progress(done)
                yield block
    except OSError as error:
        raise SourceError(f"Cannot read {source}: {error.strerror}.", "Check the stick.") from error


@contextmanager
def _writing(folder: Path, remedy: str) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise SourceError(f"Cannot write to {folder}: {error.strerror or error}.", remedy) from error
