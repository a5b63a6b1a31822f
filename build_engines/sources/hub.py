"""Files of a repository on the Hugging Face hub, at one commit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from build_engines.sources.formats import check_content
from build_engines.sources.hub_transfer import HubAddress, alone_on, transfer
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

HUB_OFFLINE_VARIABLE = (
    "HF_HUB_OFFLINE"  # The hub library's own: it forbids the hub, not the package registry.
)


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or "\\" in name or str(path) != name or ".." in path.parts:
        raise ValueError(f"{name!r} is no path inside a repository")
    return name


class HubFile(BaseModel):
    """One file of the repository: its path there, its sha256 and its size in bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[FileName, AfterValidator(_inside)]
    sha256: Sha256
    bytes: int = Field(gt=0)


class HubSource(SourceBase):
    """Files of a repository at one commit; what follows it there is never used.

    Attributes:
        repo: ``owner/name``.
        revision: the commit, 40 hexadecimal digits: a branch or a tag may move.
        files: by what they are for: ``weights``, ``config``, ``tokenizer`` and what else a family reads.
    """

    kind: Literal["hf"]
    repo: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$")
    revision: str = Field(pattern="^[0-9a-f]{40}$")
    files: dict[Role, HubFile]

    @field_validator("files")
    @classmethod
    def _has_weights(cls, files: dict[str, HubFile]) -> dict[str, HubFile]:
        return weights_first(files, lambda file: file.name)

    @property
    def sha256(self) -> str:
        """Of the weights."""
        return self.files["weights"].sha256

    @property
    def needed(self) -> tuple[NeededFile, ...]:
        return tuple(self._needed(role) for role in self.files)

    @property
    def origins(self) -> tuple[Origin, ...]:
        return tuple(file.origin for file in self.needed)

    def missing(self) -> tuple[NeededFile, ...]:
        return tuple(file for file in self.needed if not is_here(file.path, file.sha256))

    def gathered(self) -> Mapping[NeededFile, Path]:
        paths = self.fetch_all()
        return {self._needed(role): path for role, path in paths.items()}

    def fetch_all(self) -> Mapping[str, Path]:
        # The small files first: a gated repository or a wrong name shows before gigabytes are on their way.
        roles = sorted(self.files, key=lambda role: self.files[role].bytes)
        for role in roles:
            self._fetch(role)
        return {role: self._needed(role).path for role in self.files}

    def _fetch(self, role: str) -> None:
        file, wanted = self.files[role], self._needed(role)
        if not is_here(wanted.path, file.sha256):
            variable = offline_by(HUB_OFFLINE_VARIABLE)
            if variable is not None:
                raise offline_error(wanted, variable)
            part = self._part(file)
            with alone_on(part):
                if not is_here(wanted.path, file.sha256):  # Otherwise another process has just brought it.
                    self._download(file, part)
                    wanted.path.parent.mkdir(parents=True, exist_ok=True)
                    part.replace(wanted.path)
        check_content(wanted.path)

    def _download(self, file: HubFile, part: Path) -> None:
        with download_bar(f"{self.repo}/{file.name}", file.bytes) as progress:
            transfer(HubAddress(self.repo, self.revision, file.name), part, file.bytes, file.sha256, progress)
        try:
            found = sha256_of(part)
            if found != file.sha256:
                raise SourceError(
                    f"{file.name} of {self.repo} has sha256 {found}, expected {file.sha256}.",
                    "It is not the pinned file; do not use it.",
                )
            check_content(part)
        except SourceError:
            part.unlink()
            raise

    def _part(self, file: HubFile) -> Path:
        """Where the file grows: outside the commit's folder, under a name that says what it will be."""
        return cache_dir() / "hub" / ".partial" / f"{file.sha256[:16]}-{PurePosixPath(file.name).name}"

    def _needed(self, role: str) -> NeededFile:
        file = self.files[role]
        origin = self._origin(f"hf:{self.repo}@{self.revision}/{file.name}", file.sha256, role)
        # As the repository lays them out: a tokenizer's files, or a graph and its weights, are read together.
        place = f"hub/{self.repo.replace('/', '--')}/{self.revision}/{file.name}"
        return NeededFile(file.sha256, file.bytes, origin, place)
