"""What all sources of weights have in common: pinned files, each with its licence, by their roles."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from build_engines.sources.formats import WEIGHT_SUFFIXES, pickle_name
from edge.bundle import Origin
from edge.errors import SourceError
from edge.fetch import sha256_of
from edge.paths import cache_dir

STICK_REMEDY = (
    "Bring it on a stick: `python -m build_engines fetch PRESET --export-to DIR` where there is a network, "
    "`--from DIR` here (docs/offline.md)."
)


_File = TypeVar("_File")


def _no_pickle(name: str) -> str:
    refusal = pickle_name(name)
    if refusal is not None:
        raise ValueError(refusal)
    return name


Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Role = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
FileName = Annotated[str, Field(min_length=1), AfterValidator(_no_pickle)]
"""Of a file that is no pickle."""


@dataclass(frozen=True, slots=True)
class NeededFile:
    """One file as it comes to this machine: out of a network, or on a stick.

    Attributes:
        sha256: of the file.
        size: in bytes; None where the preset does not say.
        origin: where it comes from and the terms it comes under, for a manifest and a stick's index.
        place: where it lies below the cache, and on a stick, with ``/``.
    """

    sha256: str
    size: int | None
    origin: Origin
    place: str

    @property
    def name(self) -> str:
        return self.place.rpartition("/")[2]

    @property
    def path(self) -> Path:
        """Where it lies in the cache, or would."""
        return cache_dir() / self.place

    @property
    def described(self) -> str:
        """Name, size, hash and source, as an error says them."""
        size = "size unknown" if self.size is None else size_in_words(self.size)
        return f"{self.name} ({size}, sha256 {self.sha256}, from {self.origin.source})"


class SourceBase(BaseModel):
    """Where weights come from.

    Attributes:
        what: in words.
        licence: as the source states it.
        upstream: what the weights derive from, where the source is not their author.
        upstream_licence: of that.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: str
    licence: str
    upstream: str = ""
    upstream_licence: str = ""

    @property
    @abstractmethod
    def needed(self) -> tuple[NeededFile, ...]:
        """The files as they come to this machine."""

    @property
    @abstractmethod
    def origins(self) -> tuple[Origin, ...]:
        """What a manifest says of each file that is used, the weights first."""

    @abstractmethod
    def fetch_all(self) -> Mapping[str, Path]:
        """Every file by its role, checked; downloaded where it is not here yet.

        Raises:
            SourceError: one cannot be fetched, is not what it should be, or is a pickle.
        """

    @abstractmethod
    def missing(self) -> tuple[NeededFile, ...]:
        """What would have to be downloaded, or brought on a stick, before :meth:`fetch_all` works."""

    @abstractmethod
    def gathered(self) -> Mapping[NeededFile, Path]:
        """:attr:`needed`, each with a place where it lies, downloaded where it is not here yet.

        Raises:
            SourceError: one cannot be fetched, or is not what it should be.
        """

    @property
    def origin(self) -> Origin:
        """What a manifest says of the weights."""
        return self.origins[0]

    def fetch(self) -> Path:
        """The weights' file: :meth:`fetch_all` has the others.

        Raises:
            SourceError: a file cannot be fetched, is not what it should be, or is a pickle.
        """
        return self.fetch_all()["weights"]

    def _origin(self, source: str, sha256: str, role: str = "weights") -> Origin:
        return Origin(
            what=self.what if role == "weights" else f"{self.what}: {role}",
            source=source,
            sha256=sha256,
            licence=self.licence,
            upstream=self.upstream,
            upstream_licence=self.upstream_licence,
        )


def is_here(path: Path, sha256: str) -> bool:
    """Whether there is a file of that hash at ``path``."""
    return path.is_file() and sha256_of(path) == sha256


def size_in_words(size: int) -> str:
    """A size as people say it: ``92.9 MB``, ``3.4 kB``, ``18 bytes``."""
    if size < 1_000:
        return f"{size} bytes"
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"


def offline_error(file: NeededFile, variable: str) -> SourceError:
    """What is missing on a machine that may not ask a network, and how to bring it."""
    return SourceError(
        f"{file.described} is not in the cache, and {variable} forbids the network.", STICK_REMEDY
    )


def weights_first(files: Mapping[str, _File], name: Callable[[_File], str]) -> dict[str, _File]:
    """Files by their roles, ``weights`` first.

    Args:
        name: of a file.

    Raises:
        ValueError: there are no weights, or they are in a format that is not read; for pydantic.
    """
    if "weights" not in files:
        raise ValueError(f"no file has the role 'weights'; the roles are: {', '.join(files) or 'none'}")
    if not name(files["weights"]).lower().endswith(WEIGHT_SUFFIXES):
        raise ValueError(
            f"{name(files['weights'])} is neither safetensors nor ONNX: no other weights are read"
        )
    return {"weights": files["weights"], **files}
