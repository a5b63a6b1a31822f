"""A model bundle: the folder with every file that a station needs to think.

``manifest.json`` names each file with its hash, what it was made of and what it was measured to be;
``manifest.sha256`` holds its own hash. Loading checks all of it first: what does not match is refused,
and nothing of it is used.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from edge.bounded import read_regular
from edge.choices import Precision
from edge.errors import BundleError
from edge.fetch import sha256_of
from edge.paths import absolute, cache_dir
from edge.tools import command_line

MANIFEST_NAME = "manifest.json"
SEAL_NAME = "manifest.sha256"
DEFAULT_BUNDLE = "dinov2-s"


FASTEST_FIRST: tuple[Precision, ...] = ("int8", "bf16", "fp32")
"""On CPUs."""

_SHORT_HASH_DIGITS = 8
_MOST_MANIFEST_BYTES = 4_000_000


class _ManifestPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BundleFile(_ManifestPart):
    """One file of the bundle: its sha256 and its size in bytes."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class Origin(_ManifestPart):
    """Something that the bundle was made of, and the terms it came under.

    Attributes:
        what: in words.
        source: where it came from, such as ``pypi:package==version``.
        sha256: of the file that was used.
        licence: as the source states it.
        upstream: what it derives from, where the source is not its author.
        upstream_licence: of that.
    """

    what: str
    source: str
    sha256: str
    licence: str
    upstream: str = ""
    upstream_licence: str = ""


class Encoder(_ManifestPart):
    """The image encoder.

    Attributes:
        family: such as ``dinov2``.
        input_size: (H, W) in pixels.
        patch: side of a patch in pixels.
        taps: layers whose tokens the features are made of, 0 for the first.
        width: of a token.
        feature_width: of a patch's features.
    """

    family: str
    input_size: tuple[int, int]
    patch: int
    taps: tuple[int, ...]
    width: int
    feature_width: int

    @property
    def grid(self) -> tuple[int, int]:
        """Patches as (rows, columns)."""
        return self.input_size[0] // self.patch, self.input_size[1] // self.patch


class Parity(_ManifestPart):
    """How near a precision is to the reference, as measured when the bundle was built.

    Attributes:
        against: what it was compared with.
        images: number of images measured.
        patch_cosine_mean, patch_cosine_min: of the features, over all patches of all images.
        image_auroc, image_auroc_reference: on the same labelled images.
        map_difference_mean, map_difference_max: between the maps of products that were enrolled in each
            precision, on their calibrated scale; None where none was.
        verdict_agreement: share of those products' parts that have the same calibrated verdict.
        verdicts: the number of those parts.
        failed: the figures that are outside their limit, one phrase each.
        passed: whether there is none.
    """

    against: str
    images: int
    patch_cosine_mean: float
    patch_cosine_min: float
    image_auroc: float
    image_auroc_reference: float
    map_difference_mean: float | None = None
    map_difference_max: float | None = None
    verdict_agreement: float | None = None
    verdicts: int = 0
    failed: tuple[str, ...] = ()
    passed: bool


class GraphFile(_ManifestPart):
    """One precision of the vision graph.

    Attributes:
        file: of the bundle.
        float_type: what a CPU computes in where the file does not fix integers.
        kept_in_float32: the encoder's parts and nodes that an fp16 file leaves in float32.
        calibrated_on: what int8's ranges were observed on, in words.
        parity: the measured figures; None where the machine that built it could not compute it.
    """

    file: str
    float_type: Literal["f32", "bf16"]
    kept_in_float32: tuple[str, ...] = ()
    calibrated_on: str = ""
    parity: Parity | None = None


class Language(_ManifestPart):
    """The language half: a frozen language model and what was trained for it.

    Attributes:
        gguf: the language model's file: the exact one that the prompt embeddings were trained on.
        base_rows: the file with the learned rows that every prompt begins with, ``.npy``, float32.
        part_rows: how many of the rows that the vision graph gives are read with the part; the others end
            every further question about it.
        architecture: the GGUF's ``general.architecture``.
        embedding_width: floats in one row.
        embedding_scale: what rows are multiplied with before they are injected.
        trained: how the prompt learner was made: command, data, licences, figures.
    """

    gguf: str
    base_rows: str
    part_rows: int = Field(ge=1)
    architecture: str
    embedding_width: int
    embedding_scale: float = 1.0
    trained: dict[str, str] = Field(default_factory=dict)


class Manifest(_ManifestPart):
    """The content of ``manifest.json``; ``language`` is None for a bundle that only sees."""

    version: Literal[1] = 1
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    encoder: Encoder
    graphs: dict[Precision, GraphFile]
    language: Language | None = None
    origins: tuple[Origin, ...]
    tools: dict[str, str]
    files: dict[str, BundleFile]

    @field_validator("files")
    @classmethod
    def _plain_names(cls, files: dict[str, BundleFile]) -> dict[str, BundleFile]:
        for name in files:
            if name != Path(name).name or "\\" in name or name in {"", ".", "..", MANIFEST_NAME, SEAL_NAME}:
                raise ValueError(f"{name!r} is not a plain file name")
        return files

    @model_validator(mode="after")
    def _parts_are_listed(self) -> Manifest:
        for precision, graph in self.graphs.items():
            if graph.file not in self.files:
                raise ValueError(f"the {precision} graph {graph.file!r} is not among the files")
        if self.language is not None:
            for name in (self.language.gguf, self.language.base_rows):
                if name not in self.files:
                    raise ValueError(f"the language half's {name!r} is not among the files")
        return self


class Bundle:
    """A checked bundle on disk.

    Attributes:
        path: its folder.
        manifest: what it says of itself.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest

    @classmethod
    def load(cls, path: Path, *, language_later: bool = False) -> Bundle:
        """Reads the manifest and checks every file's size and hash.

        Args:
            language_later: all but the language model's file, which its runner checks before it reads it: a
                station sees without it.

        Raises:
            BundleError: a file is missing or differs, the manifest among them, or it cannot be understood.
        """
        manifest = _read_manifest(path)
        later = manifest.language.gguf if language_later and manifest.language is not None else None
        for name, expected in manifest.files.items():
            if name != later:
                _check_file(path / name, expected, manifest.name)
        return cls(path, manifest)

    @classmethod
    def resolve(cls, name_or_path: str | None = None, *, language_later: bool = False) -> Bundle:
        """The bundle of that name in the cache, or in that folder; by default the default bundle.

        Args:
            language_later: as for :meth:`load`.

        Raises:
            BundleError: there is none, or it is damaged.
        """
        wanted = name_or_path or DEFAULT_BUNDLE
        in_cache = bundles_dir() / wanted
        path = in_cache if Path(wanted).name == wanted and in_cache.is_dir() else absolute(Path(wanted))
        if (path / MANIFEST_NAME).is_file():
            return cls.load(path, language_later=language_later)
        build = command_line("build_engines", "build", wanted if wanted == in_cache.name else DEFAULT_BUNDLE)
        raise BundleError(f"There is no bundle {wanted!r} (looked in {path}).", f"Build it: {build}")

    @classmethod
    def default(cls) -> Bundle:
        """The bundle that every command uses where none is named."""
        return cls.resolve(None)

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.manifest.name

    @property
    def id(self) -> str:
        """Name and short hash of the content: the same files give the same id."""
        listing = "\n".join(f"{file.sha256} {name}" for name, file in sorted(self.manifest.files.items()))
        return f"{self.name}-{hashlib.sha256(listing.encode()).hexdigest()[:_SHORT_HASH_DIGITS]}"

    def graph(self, precision: Precision) -> GraphFile:
        """The graph of that precision.

        Raises:
            BundleError: the bundle has none.
        """
        if precision not in self.manifest.graphs:
            has = ", ".join(self.manifest.graphs) or "none"
            wanted = [f"--precision {name}" for name in (*self.manifest.graphs, precision)]
            build = command_line("build_engines", "build", self.name, *wanted)
            raise BundleError(
                f"Bundle {self.name} has no {precision} graph; it has {has}.",
                f"Choose one of those, or build it: {build}",
            )
        return self.manifest.graphs[precision]

    def proved_graph(self, precision: Precision, accept_failed_parity: bool = False) -> GraphFile:
        """The graph of that precision, for verdicts to stand on.

        Args:
            precision: that was asked for.
            accept_failed_parity: also where its parity gate failed, or where nobody has measured it.

        Raises:
            BundleError: the bundle has none, or it has not passed its parity gate.
        """
        graph = self.graph(precision)
        doubt = self.doubt(precision)
        if doubt and not accept_failed_parity:
            raise BundleError(
                doubt,
                "Set the precision to auto, or build the bundle again on this machine; to use it "
                "anyway, set engine.accept_failed_parity: true (on a command line --accept-failed-parity).",
            )
        return graph

    def doubt(self, precision: str) -> str:
        """Why nobody should trust that precision, as one sentence; empty where it passed its parity gate."""
        parity = next(
            (graph.parity for name, graph in self.manifest.graphs.items() if name == precision), None
        )
        if parity is None:
            return f"Bundle {self.name}: nobody has measured that {precision} is right."
        if not parity.passed:
            figures = ", ".join(parity.failed) or "a figure is outside its limit"
            return f"Bundle {self.name}: {precision} failed its parity gate: {figures}."
        return ""

    def file(self, name: str) -> Path:
        """The path of a file that the manifest lists."""
        if name not in self.manifest.files:
            raise BundleError(f"Bundle {self.name} lists no file {name!r}.", "Build the bundle again.")
        return self.path / name


def bundles_dir() -> Path:
    """The folder in the cache that holds the bundles."""
    return cache_dir() / "bundles"


def seal(folder: Path) -> None:
    """Writes the hash of ``manifest.json`` beside it, as ``sha256sum -c manifest.sha256`` reads it."""
    manifest = read_regular(folder / MANIFEST_NAME, _MOST_MANIFEST_BYTES)
    (folder / SEAL_NAME).write_bytes(_sealing(manifest))


def _sealing(manifest: bytes) -> bytes:
    return f"{hashlib.sha256(manifest).hexdigest()}  {MANIFEST_NAME}\n".encode()


def _read_manifest(path: Path) -> Manifest:
    file = path / MANIFEST_NAME
    again = f"Build the bundle again: {command_line('build_engines', 'build', DEFAULT_BUNDLE)}"
    try:
        text = read_regular(file, _MOST_MANIFEST_BYTES)
        sealed = read_regular(path / SEAL_NAME, _MOST_MANIFEST_BYTES)
    except OSError as error:
        raise BundleError(f"Cannot read {error.filename}: {error.strerror}.", again) from error
    if sealed != _sealing(text):
        raise BundleError(
            f"{path}: {MANIFEST_NAME} and {SEAL_NAME} do not match: one of them was changed.",
            again,
        )
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        if where == "version":
            raise BundleError(
                f"{file} has manifest version {first['input']!r}; this program reads 1.",
                "Update anomalygpt-edge, or build the bundle again with this version.",
            ) from error
        raise BundleError(f"{file}: {where}: {first['msg']}.", again) from error


def _check_file(path: Path, expected: BundleFile, bundle: str) -> None:
    again = f"Build the bundle again: {command_line('build_engines', 'build', bundle)}"
    try:
        size = path.stat().st_size
        # One of another size is not read: it may have no end.
        found = sha256_of(path) if size == expected.bytes else ""
    except OSError as error:
        raise BundleError(f"Bundle {bundle}: cannot read {path.name}: {error.strerror}.", again) from error
    if size != expected.bytes or found != expected.sha256:
        raise BundleError(
            f"Bundle {bundle}: {path.name} is not the file that the manifest names "
            f"({size} bytes, expected {expected.bytes}; sha256 {found[:12] or 'not computed'}, "
            f"expected {expected.sha256[:12]}).",
            again,
        )
