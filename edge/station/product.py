"""One product as it lies on the disk: its file, its versions, its name."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from edge.bounded import SMALL_FILE_BYTES, read_regular
from edge.errors import LanguageError, ProductError

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from edge.vision.memory import Memory

log = logging.getLogger(__name__)

FILE_NAME = "product.json"
MAIN_VIEW = "main"
"""The view that a product is enrolled with first, and the only one that most have."""
VIEWS_FOLDER = "views"
"""In a product's folder: its other views, each a folder like it."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


class Version(BaseModel):
    """One enrollment of a product.

    Attributes:
        number: counts the product's enrollments; never given twice.
        made_at: UTC, ISO 8601.
        bundle: id of the bundle that learned it; another bundle has to learn it again.
        rotations: ``none``, ``90`` or ``fine``.
        references: file names below ``references/``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    made_at: str
    bundle: str
    rotations: str
    references: tuple[str, ...]


class ProductFile(BaseModel):
    """The content of ``product.json``: ``enrollments`` counts those that were undone too."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = ""
    enrollments: int
    versions: tuple[Version, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """A product as it is on the disk.

    Attributes:
        folder: where it lives; its last part is the product's name.
        description: in a person's words, for reports and for the language model.
        versions: the newest last; that one is in use.
    """

    folder: Path
    description: str
    versions: tuple[Version, ...]

    @property
    def name(self) -> str:
        """The product's name, as the PLC knows it; of another view than the main one, ``PRODUCT/VIEW``."""
        if self.folder.parent.name != VIEWS_FOLDER:
            return self.folder.name
        return f"{self.folder.parent.parent.name}/{self.folder.name}"

    @property
    def options(self) -> str:
        """How commands name it."""
        name, _, view = self.name.partition("/")
        return f"--product {name} --view {view}" if view else f"--product {name}"

    @property
    def version(self) -> Version:
        """The version in use."""
        return self.versions[-1]

    @property
    def reference_files(self) -> list[Path]:
        """The images of good parts that the version in use was learned from."""
        return [self.folder / "references" / name for name in self.version.references]

    def memory(self) -> Memory:
        """What the version in use has learned.

        Raises:
            ProductError: the file is missing or damaged.
        """
        from edge.vision.memory import Memory

        return Memory.load(memory_file(self.folder, self.version.number))


def check_name(name: str) -> str:
    """Return ``name`` if a product can be called so.

    Raises:
        ProductError: it is empty, too long, or has characters that folders or topics do not take.
    """
    if _NAME.fullmatch(name):
        return name
    from edge.messaging import suggest_level

    raise ProductError(
        f"{name!r} cannot be the name of a product: 1 to 63 of A-Z a-z 0-9 _ . - are allowed, "
        "the first a letter or a digit.",
        f"Write for example {suggest_level(name).lstrip('-_')[:63] or 'part'!r}.",
    )


def check_description(text: str, bundle: Bundle | None = None) -> str:
    """Return ``text`` if the language model can be told it as the description of a product.

    Args:
        bundle: whose language model counts the tokens; without one, or without a language half, its
            characters alone are counted.

    Raises:
        ProductError: it is longer than the room that a prompt has for it.
    """
    from edge.language.words import LONGEST_DESCRIPTION, LONGEST_DESCRIPTION_TOKENS

    if len(text) > LONGEST_DESCRIPTION:
        raise _too_long(f"{len(text)} characters", LONGEST_DESCRIPTION)
    # No tokenizer makes more tokens of a text than it has bytes.
    if bundle is not None and len(text.encode("utf-8", "replace")) > LONGEST_DESCRIPTION_TOKENS:
        count = _tokens(text, bundle)
        if count > LONGEST_DESCRIPTION_TOKENS:
            raise _too_long(f"{count} of the language model's tokens", LONGEST_DESCRIPTION_TOKENS)
    return text


def _too_long(what: str, room: int) -> ProductError:
    return ProductError(
        f"The description has {what}; the language model's question has room for {room}.",
        'Say what a good part looks like in a few words: "amber glass bottle seen from above, round".',
    )


def _tokens(text: str, bundle: Bundle) -> int:
    """As the bundle's language model counts; 0 where nothing here can, and so nothing will be told it."""
    from edge.language.count_tokens import count_tokens

    language = bundle.manifest.language
    if language is None:
        return 0
    try:
        return count_tokens(bundle.file(language.gguf), text)
    except LanguageError as error:
        log.warning("%s", error)
        return 0


def check_learned_by(bundle_id: str, product: Product) -> None:
    """Refuse a product that another bundle learned: features of two bundles cannot be compared.

    Raises:
        ProductError: with the command that learns it again from its own references.
    """
    if product.version.bundle != bundle_id:
        raise ProductError(
            f"{product.name} was learned by the bundle {product.version.bundle}; this is {bundle_id}.",
            "Learn it again from its kept references: "
            f"anomalygpt-edge enroll {product.options}, with the station's --bundle and --data-dir",
        )


def memory_file(folder: Path, number: int) -> Path:
    """Where a version's memory lies."""
    return folder / f"memory-{number:04d}.npz"


def read_file(folder: Path) -> ProductFile | None:
    """The file of the product in ``folder``; None where there is no product.

    Raises:
        ProductError: it cannot be read, or is damaged.
    """
    path = folder / FILE_NAME
    try:
        content = ProductFile.model_validate_json(read_regular(path, SMALL_FILE_BYTES))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ProductError(
            f"{path} cannot be read: {error.strerror or error}.", "Give the account permission to read it."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ProductError(
            f"{path} is damaged: {where or 'the file'}: {first['msg']}.",
            f"Delete the folder {folder} and enroll the product again.",
        ) from error
    if not content.versions:
        raise ProductError(
            f"{path} is damaged: it has no version.",
            f"Delete the folder {folder} and enroll the product again.",
        )
    return content
