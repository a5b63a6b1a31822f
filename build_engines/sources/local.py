"""Files that are on this machine already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from build_engines.sources.formats import check_content, pickle_name
from build_engines.sources.source import (
    STICK_REMEDY,
    NeededFile,
    Role,
    Sha256,
    SourceBase,
    is_here,
    weights_first,
)
from edge.bundle import Origin
from edge.errors import SourceError
from edge.fetch import sha256_of
from edge.paths import absolute


class LocalFile(BaseModel):
    """One file: its path, its sha256 and, where the preset says it, its size in bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    sha256: Sha256
    bytes: int | None = Field(default=None, gt=0)

    @field_validator("path")
    @classmethod
    def _no_pickle(cls, path: Path) -> Path:
        refusal = pickle_name(path.name)
        if refusal is not None:
            raise ValueError(refusal)
        return path


class FileSource(SourceBase):
    """Files on this machine, or the copies of them that a stick brought into the cache.

    Attributes:
        files: by what they are for: ``weights`` and what else a family reads. The weights' ``path`` and
            ``sha256`` may stand beside ``kind`` instead.
    """

    kind: Literal["file"]
    files: dict[Role, LocalFile]

    @model_validator(mode="before")
    @classmethod
    def _weights_beside_kind(cls, content: Any) -> Any:
        if not isinstance(content, dict) or "path" not in content:
            return content
        own = {key: content[key] for key in LocalFile.model_fields if key in content}
        others = content.get("files", {})
        if not isinstance(others, dict):
            return content
        if "weights" in others:
            raise ValueError("the weights are named twice, beside kind and in files")
        return {
            **{key: content[key] for key in content if key not in own},
            "files": {"weights": own, **others},
        }

    @field_validator("files")
    @classmethod
    def _has_weights(cls, files: dict[str, LocalFile]) -> dict[str, LocalFile]:
        names = [file.path.name for file in files.values()]
        if len(set(names)) < len(names):
            raise ValueError(f"two of {', '.join(names)} have one name: a stick could not hold both")
        return weights_first(files, lambda file: file.path.name)

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
        return tuple(
            self._needed(role)
            for role, file in self.files.items()
            if not absolute(file.path).is_file() and not is_here(self._needed(role).path, file.sha256)
        )

    def gathered(self) -> Mapping[NeededFile, Path]:
        return {self._needed(role): path for role, path in self.fetch_all().items()}

    def fetch_all(self) -> Mapping[str, Path]:
        return {role: self._checked(role) for role in self.files}

    def _checked(self, role: str) -> Path:
        file, brought = self.files[role], self._needed(role).path
        path = absolute(file.path)
        if not path.exists() and is_here(brought, file.sha256):
            path = brought
        try:
            found = sha256_of(path)
        except OSError as error:
            raise SourceError(
                f"Cannot read {path}: {error.strerror}.", f"Check the preset's path. {STICK_REMEDY}"
            ) from error
        if found != file.sha256:
            raise SourceError(
                f"{path} has sha256 {found}, expected {file.sha256}.",
                "Use the file that the preset pins, or pin this one if you trust it.",
            )
        check_content(path)
        return path

    def _needed(self, role: str) -> NeededFile:
        file = self.files[role]
        path = absolute(file.path)
        size = path.stat().st_size if file.bytes is None and path.is_file() else file.bytes
        origin = self._origin(f"file:{path.name}", file.sha256, role)
        return NeededFile(file.sha256, size, origin, f"sources/{self.sha256[:16]}/{path.name}")
