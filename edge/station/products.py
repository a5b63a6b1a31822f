"""Products: what a station can inspect, each learned from references and kept with its versions.

A product is a folder under ``products/``::

    products/NAME/product.json          description and versions; the last one is in use
    products/NAME/memory-0002.npz       what version 2 learned
    products/NAME/references/….png      the images of good parts, without loss, shared by versions
    products/NAME/views/VIEW/           another view of it: a folder like the product's own

``product.json`` is replaced as a whole and last: until then a new version does not exist, and
after a crash or on a full disk the product is what it was.
"""

from __future__ import annotations

import contextlib
import copy
import fcntl
import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.cameras import read_image
from edge.errors import ProductError
from edge.image_bytes import write_png
from edge.image_types import Image
from edge.inspection import utc_timestamp
from edge.station.product import (
    FILE_NAME,
    MAIN_VIEW,
    VIEWS_FOLDER,
    Product,
    ProductFile,
    Version,
    check_description,
    check_name,
    memory_file,
    read_file,
)
from edge.whole_file import write_whole

if TYPE_CHECKING:
    from edge.vision.memory import Memory
    from edge.vision.view import View

log = logging.getLogger(__name__)

Learn = Callable[[Sequence[Image]], "Memory"]
"""Makes a memory of images of good parts: enrollment with an engine and its settings filled in."""

KEPT_VERSIONS = 10
"""How far ``undo`` reaches; older versions are forgotten."""


class Products:
    """The products under a station's ``data_dir``. Any process may read while another enrolls."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / "products"
        self._whole: Product | None = None  # whose views these are

    def of_view(self, product: str, view: str | None) -> tuple[Products, str]:
        """Where a view of a product is kept, and its name there: of the main view, here and the product's.

        Args:
            view: one of :meth:`views`, or a new one; None: the main view.

        Raises:
            ProductError: there is no such product that could have another view than the main one.
        """
        if view is None or view == MAIN_VIEW:
            return self, product
        within = copy.copy(self)
        within._whole = self.get(product)
        within.folder = within._whole.folder / VIEWS_FOLDER
        return within, check_name(view)

    def views(self, name: str) -> dict[str, Product]:
        """A product's views by their names, the main one first.

        Raises:
            ProductError: as :meth:`get`, for any of them.
        """
        others, _ = self.of_view(name, "any")
        return {MAIN_VIEW: self.get(name), **{view: others.get(view) for view in others.names()}}

    def names(self) -> list[str]:
        """The names of all enrolled products, sorted."""
        return sorted(path.parent.name for path in self.folder.glob(f"[!.]*/{FILE_NAME}"))

    def get(self, name: str) -> Product:
        """The product of this name.

        Raises:
            ProductError: there is none (the error names those that there are), or its file is damaged.
        """
        folder = self.folder / check_name(name)
        content = read_file(folder)
        if content is None:
            raise self._unknown(name)
        return Product(folder, self._description(content), content.versions)

    def description(self, name: str) -> str:
        """What the product of this name looks like, in words; empty where nobody said, or it is not enrolled.

        Raises:
            ProductError: as :meth:`get`, for one that is enrolled.
        """
        content = read_file(self.folder / check_name(name))
        return "" if content is None else self._description(content)

    def view(self, name: str) -> View:
        """What of an image is looked at for the product; the whole frame for one that is not enrolled.

        Where what was learned cannot be read, it is the whole frame too, and the log says so: enrolling
        anew is what mends that.

        Raises:
            ProductError: as :meth:`get`, for one that is enrolled.
        """
        from edge.vision.view import WHOLE_FRAME

        if read_file(self.folder / check_name(name)) is None:
            return WHOLE_FRAME
        try:
            return self.get(name).memory().view
        except ProductError as error:
            log.warning("The region of %s is lost, the whole image is looked at: %s", name, error)
            return WHOLE_FRAME

    def enroll(
        self, name: str, images: Sequence[Image], learn: Learn, description: str | None = None
    ) -> Product:
        """Learn a product from these images alone, as a new version.

        Args:
            images: uint8, (H, W) or (H, W, 3); the same image twice counts once.
            learn: called once, before anything is written.
            description: what a good part looks like, in words; None keeps the one it has.

        Raises:
            ProductError: a name that cannot be one, a description that is too long, images that cannot
                make a product, a disk that cannot be written. The product stays as it was.
        """
        with self._changing(name) as folder:
            return self._learn(folder, images, learn, description)

    def add(
        self, name: str, images: Sequence[Image], learn: Learn, description: str | None = None
    ) -> Product:
        """Learn a product from its references and these images together, as a new version.

        Raises:
            ProductError: as :meth:`enroll`; also where all of the images are references already.
        """
        with self._changing(name) as folder:
            product = self.get(name)
            known = set(product.version.references)
            new = [image for image in images if _reference_name(image) not in known]
            if not new:
                raise ProductError(
                    f"All of the {len(images)} images are already references of {name}.",
                    "Add other good parts.",
                )
            kept = [read_image(path) for path in product.reference_files]
            return self._learn(folder, [*kept, *new], learn, description)

    def relearn(self, name: str, learn: Learn, description: str | None = None) -> Product:
        """Learn a product again from the references that it has, for a new bundle; a new version.

        Raises:
            ProductError: as :meth:`enroll`.
        """
        with self._changing(name) as folder:
            images = [read_image(path) for path in self.get(name).reference_files]
            return self._learn(folder, images, learn, description)

    def undo(self, name: str) -> Product:
        """Take back the last enrollment: the version before it is in use again.

        Raises:
            ProductError: there is no version before it.
        """
        with self._changing(name) as folder:
            content = read_file(folder)
            if content is None:
                raise self._unknown(name)
            if len(content.versions) < 2:
                raise ProductError(
                    f"{name} has no earlier version to go back to.",
                    "Enroll it again, or delete it: anomalygpt-edge products delete.",
                )
            self._write(folder, content.model_copy(update={"versions": content.versions[:-1]}))
            return self.get(name)

    def delete(self, name: str) -> None:
        """Forget a product with all of its versions and references.

        Raises:
            ProductError: there is no such product, or it cannot be deleted.
        """
        with self._changing(name) as folder:
            if read_file(folder) is None:
                raise self._unknown(name)
            # Without its file the product is gone at once, however long the rest takes.
            (folder / FILE_NAME).unlink()
            shutil.rmtree(folder)

    def _learn(self, folder: Path, images: Sequence[Image], learn: Learn, description: str | None) -> Product:
        if description is not None:
            check_description(description)
        distinct = {_reference_name(image): image for image in images}
        memory = learn(list(distinct.values()))
        before = read_file(folder) or ProductFile(enrollments=0, versions=())
        version = Version(
            number=before.enrollments + 1,
            made_at=utc_timestamp(),
            bundle=memory.bundle_id,
            rotations=memory.rotations,
            references=tuple(distinct),
        )
        references = folder / "references"
        references.mkdir(parents=True, exist_ok=True)
        for name, image in distinct.items():
            if not (references / name).exists():
                write_png(references / name, image, durable=True)
        memory.save(memory_file(folder, version.number))
        self._write(
            folder,
            ProductFile(
                description=before.description if description is None else description,
                enrollments=version.number,
                versions=(*before.versions, version)[-KEPT_VERSIONS:],
            ),
        )
        return self.get(folder.name)

    @contextlib.contextmanager
    def _changing(self, name: str) -> Iterator[Path]:
        """The product's folder, for one writer at a time; what the system refuses, in a user's words."""
        folder = self.folder / check_name(name)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / f".{name}.lock").open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise ProductError(
                        f"Another program is changing the products in {self.folder}.",
                        "Try again when it has finished.",
                    ) from error
                yield folder
        except OSError as error:
            raise ProductError(
                f"The product {name} cannot be kept in {self.folder}: {error.strerror or error}.",
                "Free some space there, or give the account permission to write.",
            ) from error

    def _write(self, folder: Path, content: ProductFile) -> None:
        """Put the file in force, then drop what no version refers to any more."""
        write_whole(folder / FILE_NAME, content.model_dump_json(indent=2) + "\n", durable=True)
        needed = {memory_file(folder, version.number) for version in content.versions}
        needed |= {
            folder / "references" / name for version in content.versions for name in version.references
        }
        for path in (*folder.glob("memory-*"), *(folder / "references").iterdir()):
            if path not in needed:
                path.unlink()

    def _description(self, content: ProductFile) -> str:
        """A product's own words, also for its views."""
        return content.description if self._whole is None else self._whole.description

    def _unknown(self, name: str) -> ProductError:
        names = self.names()
        if self._whole is not None:
            views = ", ".join((MAIN_VIEW, *names))
            return ProductError(f"{self._whole.name} has no view {name!r}.", f"It has: {views}.")
        if not names:
            return ProductError(
                f"There is no product {name!r}: none is enrolled in {self.folder}.",
                f"Enroll it from images of good parts: anomalygpt-edge enroll --product {name} IMAGE…",
            )
        close = get_close_matches(name.lower(), [known.lower() for known in names], n=1)
        meant = next(
            (f" Did you mean {known!r}?" for known in names if close and known.lower() == close[0]), ""
        )
        return ProductError(f"There is no product {name!r}.", f"Enrolled: {', '.join(names)}.{meant}")


def _reference_name(image: Image) -> str:
    """The file name of a reference, from its pixels: the same image is kept once."""
    digest = hashlib.sha256(f"{image.shape}".encode())
    digest.update(np.ascontiguousarray(image).data)
    return f"{digest.hexdigest()[:20]}.png"
