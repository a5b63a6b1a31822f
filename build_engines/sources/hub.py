"""Files of a repository on the Hugging Face hub, at one commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from build_engines.sources.formats import check_content
from build_engines.sources.hub_library import HubAddress
from build_engines.sources.hub_transfer import alone_on, transfer
from build_engines.sources.source import (
    FileName,
    NeededFile,
    Role,
    Sha256,
    SourceBase,
    is_here,
    offline_error,
    weights_first,
)
from edge.bundle import Origin
from edge.errors import SourceError
from edge.fetch import download_bar, sha256_of
from edge.offline import offline_by
from edge.paths import cache_dir

# The hub library's own: it forbids the hub, not the package registry.
HUB_OFFLINE_VARIABLE = "HF_HUB_OFFLINE"


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or "\\" in name or str(path) != name or ".." in path.parts:
        raise ValueError(f"{name!r} is no path inside a repository")
    return name


class HubFile(BaseModel):
    """One file of the repository.

    Attributes:
        name: its path there.
        sha256, bytes: of the file; both None where nobody has pinned it yet.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[FileName, AfterValidator(_inside)]
    sha256: Sha256 | None
    bytes: Annotated[int, Field(gt=0)] | None

    @model_validator(mode="after")
    def _both_or_none(self) -> HubFile:
        if (self.sha256 is None) != (self.bytes is None):
            raise ValueError(f"{self.name} has one of sha256 and bytes: write both, or null for both")
        return self


class HubSource(SourceBase):
    """Files of a repository at one commit; what follows it there is never used.

    A preset may leave commit and hashes open (null): then it is not fetched, only pinned, with
    ``python -m build_engines pin``.

    Attributes:
        repo: ``owner/name``.
        revision: the commit, 40 hexadecimal digits: a branch or a tag may move. None where it is open.
        files: by what they are for: ``weights``, ``config``, ``tokenizer`` and what else a family reads.
    """

    kind: Literal["hf"]
    repo: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$")
    revision: Annotated[str, Field(pattern="^[0-9a-f]{40}$")] | None
    files: dict[Role, HubFile]

    @field_validator("files")
    @classmethod
    def _has_weights(cls, files: dict[str, HubFile]) -> dict[str, HubFile]:
        return weights_first(files, lambda file: file.name)

    @property
    def is_pinned(self) -> bool:
        """Whether commit, hashes and sizes are all said."""
        return self.revision is not None and all(file.sha256 is not None for file in self.files.values())

    @property
    def sha256(self) -> str:
        """Of the weights."""
        return self._pin("weights").sha256

    @property
    def needed(self) -> tuple[NeededFile, ...]:
        return tuple(self._pin(role).needed for role in self.files)

    @property
    def origins(self) -> tuple[Origin, ...]:
        return tuple(file.origin for file in self.needed)

    def missing(self) -> tuple[NeededFile, ...]:
        return tuple(file for file in self.needed if not is_here(file.path, file.sha256))

    def gathered(self) -> Mapping[NeededFile, Path]:
        paths = self.fetch_all()
        return {self._pin(role).needed: path for role, path in paths.items()}

    def fetch_all(self) -> Mapping[str, Path]:
        pins = {role: self._pin(role) for role in self.files}
        # The small files first: a gated repository or a wrong name shows before gigabytes are on their way.
        for pin in sorted(pins.values(), key=lambda pin: pin.size):
            _fetch(pin)
        return {role: pin.needed.path for role, pin in pins.items()}

    def _pin(self, role: str) -> _Pin:
        file = self.files[role]
        if self.revision is None or file.sha256 is None or file.bytes is None:
            raise SourceError(
                f"{file.name} of {self.repo} is not pinned: the preset leaves its commit or its hash open.",
                "Run `python -m build_engines pin PRESET`, check the output, and build that preset.",
            )
        origin = self._origin(f"hf:{self.repo}@{self.revision}/{file.name}", file.sha256, role)
        return _Pin(HubAddress(self.repo, self.revision, file.name), file.sha256, file.bytes, origin)


@dataclass(frozen=True, slots=True)
class _Pin:
    """A file whose commit, hash and size are known."""

    address: HubAddress
    sha256: str
    size: int
    origin: Origin

    @property
    def needed(self) -> NeededFile:
        # As the repository lays them out: a tokenizer's files, or a graph and its weights, are read together.
        repo = self.address.repo.replace("/", "--")
        place = f"hub/{repo}/{self.address.revision}/{self.address.name}"
        return NeededFile(self.sha256, self.size, self.origin, place)

    @property
    def part(self) -> Path:
        """Where the file grows: outside the commit's folder, under a name that says what it will be."""
        return cache_dir() / "hub" / ".partial" / f"{self.sha256[:16]}-{self.needed.name}"


def _fetch(pin: _Pin) -> None:
    path = pin.needed.path
    if not is_here(path, pin.sha256):
        variable = offline_by(HUB_OFFLINE_VARIABLE)
        if variable is not None:
            raise offline_error(pin.needed, variable)
        with alone_on(pin.part):
            if not is_here(path, pin.sha256):  # Otherwise another process has just brought it.
                _download(pin)
                path.parent.mkdir(parents=True, exist_ok=True)
                pin.part.replace(path)
    check_content(path)


def _download(pin: _Pin) -> None:
    name = f"{pin.address.name} of {pin.address.repo}"
    with download_bar(f"{pin.address.repo}/{pin.address.name}", pin.size) as progress:
        transfer(pin.address, pin.part, pin.size, pin.sha256, progress)
    try:
        found = sha256_of(pin.part)
        if found != pin.sha256:
            raise SourceError(
                f"{name} has sha256 {found}, expected {pin.sha256}.",
                "It is not the pinned file; do not use it.",
            )
        check_content(pin.part)
    except SourceError:
        pin.part.unlink()
        raise
