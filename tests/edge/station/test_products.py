"""A product is what it was or what it was made to be, never something in between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from edge.errors import ProductError
from edge.station.product import check_name
from edge.station.products import KEPT_VERSIONS, Products
from edge.vision.memory import Memory
from tests.edge.parts import good_part


def learn(images: Sequence[np.ndarray]) -> Memory:
    """A memory that says what it was learned from; its numbers do not matter here."""
    return Memory(
        arrays={"bank": np.full((2, 4), len(images), np.float32)},
        bundle_id="some-bundle",
        references=len(images),
        rotations="none",
        good_scores=np.zeros(3, np.float32),
        defect_scores=np.ones(3, np.float32),
        boundary=0.5,
        shape=images[0].shape[:2],
    )


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder that belongs to a product."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


@pytest.fixture
def products(tmp_path: Path) -> Products:
    return Products(tmp_path)


def test_references_come_back_as_they_were(products: Products) -> None:
    from edge.cameras import read_image

    images = [good_part(0), good_part(1)[:, :, 0].copy()]
    product = products.enroll("plate", images, learn, "a plate")
    for path, image in zip(product.reference_files, images, strict=True):
        assert np.array_equal(read_image(path), image)
    assert product.description == "a plate"
    assert product.memory().references == 2


def test_the_same_image_twice_is_one_reference(products: Products) -> None:
    product = products.enroll("plate", [good_part(0), good_part(0)], learn)
    assert len(product.reference_files) == 1
    assert product.memory().references == 1


def test_add_keeps_what_there_is_and_undo_takes_it_back(products: Products) -> None:
    products.enroll("plate", [good_part(0)], learn, "a plate")
    before = files(products.folder)
    added = products.add("plate", [good_part(0), good_part(1)], learn)
    assert (added.version.number, added.memory().references) == (2, 2)
    undone = products.undo("plate")
    assert (undone.version.number, undone.memory().references) == (1, 1)
    assert files(products.folder).keys() == before.keys(), "undo leaves nothing of the version behind"


def test_a_version_number_is_never_given_twice(products: Products) -> None:
    products.enroll("plate", [good_part(0)], learn)
    products.enroll("plate", [good_part(1)], learn)
    products.undo("plate")
    assert products.enroll("plate", [good_part(2)], learn).version.number == 3


def test_old_versions_are_forgotten_with_their_files(products: Products) -> None:
    for number in range(KEPT_VERSIONS + 3):
        product = products.enroll("plate", [good_part(number)], learn)
    assert [version.number for version in product.versions] == list(range(4, KEPT_VERSIONS + 4))
    assert len(list(product.folder.glob("memory-*.npz"))) == KEPT_VERSIONS
    assert len(list((product.folder / "references").iterdir())) == KEPT_VERSIONS


def test_relearning_keeps_the_references(products: Products) -> None:
    first = products.enroll("plate", [good_part(0), good_part(1)], learn, "a plate")
    again = products.relearn("plate", learn)
    assert again.version.references == first.version.references
    assert (again.version.number, again.description) == (2, "a plate")


def test_a_failed_enrollment_leaves_the_product_as_it_was(products: Products) -> None:
    products.enroll("plate", [good_part(0)], learn)
    before = files(products.folder)

    def refuse(images: Sequence[np.ndarray]) -> Memory:
        raise ProductError(f"{len(images)} images cannot make a product.")

    with pytest.raises(ProductError, match="cannot make"):
        products.enroll("plate", [good_part(1)], refuse)
    assert files(products.folder) == before


@pytest.mark.parametrize("full_at", ["png", "npz", "json"])
def test_a_disk_that_fills_up_leaves_the_product_as_it_was(
    products: Products, monkeypatch: pytest.MonkeyPatch, full_at: str
) -> None:
    before = products.enroll("plate", [good_part(0)], learn)
    fsync, synced = __import__("os").fsync, {"png": 1, "npz": 2, "json": 3}
    calls = iter(range(1, 10))

    def full(descriptor: int) -> None:
        if next(calls) == synced[full_at]:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ProductError, match="No space left on device"):
        products.enroll("plate", [good_part(1)], learn)
    monkeypatch.undo()
    after = products.get("plate")
    assert after == before
    assert after.memory().references == 1
    assert not list(products.folder.rglob("*.tmp"))
    assert products.enroll("plate", [good_part(1)], learn).version.number == 2


def test_a_product_that_does_not_exist_is_answered_with_those_that_do(products: Products) -> None:
    with pytest.raises(ProductError, match="none is enrolled"):
        products.get("plate")
    products.enroll("Plate", [good_part(0)], learn)
    products.enroll("ring", [good_part(0)], learn)
    with pytest.raises(ProductError, match=r"Enrolled: Plate, ring\. Did you mean 'Plate'\?"):
        products.get("plat")
    with pytest.raises(ProductError) as raised:
        products.get("entirely-else")
    assert "mean" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("", "part|unnamed"),  # nothing at all
        ("amber bottle", "amber_bottle"),  # a space is no topic level
        ("../etc", "etc"),  # a path is no name
        (".hidden", "hidden"),
        ("a" * 64, "a" * 63),
    ],
)
def test_what_cannot_be_a_folder_or_a_topic_cannot_be_a_name(name: str, written: str) -> None:
    with pytest.raises(ProductError, match=f"'({written})'"):
        check_name(name)


@pytest.mark.parametrize("operation", ["undo", "delete", "add", "relearn"])
def test_nothing_is_made_of_a_product_that_does_not_exist(products: Products, operation: str) -> None:
    arguments: dict[str, tuple[object, ...]] = {"add": ([good_part(0)], learn), "relearn": (learn,)}
    call: Callable[..., object] = getattr(products, operation)
    with pytest.raises(ProductError, match="no product"):
        call("plate", *arguments.get(operation, ()))
    assert products.names() == []


def test_the_first_version_cannot_be_undone(products: Products) -> None:
    products.enroll("plate", [good_part(0)], learn)
    with pytest.raises(ProductError, match="no earlier version"):
        products.undo("plate")


def test_adding_only_known_images_is_refused(products: Products) -> None:
    products.enroll("plate", [good_part(0)], learn)
    with pytest.raises(ProductError, match="already references of plate"):
        products.add("plate", [good_part(0)], learn)


def test_a_deleted_product_is_gone_and_can_come_anew(products: Products) -> None:
    products.enroll("plate", [good_part(0)], learn)
    products.delete("plate")
    assert products.names() == []
    assert products.enroll("plate", [good_part(1)], learn).version.number == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"enrollments": 1, "versions": []}',
        b'{"enrollments": 1, "versions": [{"number": 1}]}',
    ],
)
def test_a_damaged_product_says_so(products: Products, content: bytes) -> None:
    product = products.enroll("plate", [good_part(0)], learn)
    (product.folder / "product.json").write_bytes(content)
    with pytest.raises(ProductError, match=r"product\.json is damaged"):
        products.get("plate")


def test_a_damaged_memory_says_so(products: Products) -> None:
    product = products.enroll("plate", [good_part(0)], learn)
    (product.folder / "memory-0001.npz").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(ProductError, match="cannot be read"):
        product.memory()


def test_two_enrollments_of_one_product_do_not_meet(products: Products) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow(images: Sequence[np.ndarray]) -> Memory:
        inside.set()
        assert go_on.wait(30)
        return learn(images)

    first = threading.Thread(target=products.enroll, args=("plate", [good_part(0)], slow))
    first.start()
    assert inside.wait(30)
    try:
        with pytest.raises(ProductError, match="Another program"):
            products.enroll("plate", [good_part(1)], learn)
        # Another product is nobody's business.
        products.enroll("ring", [good_part(1)], learn)
    finally:
        go_on.set()
        first.join()
    assert products.get("plate").version.number == 1
