"""Products to train on: repeatable, alike but not the same, and never shared with validation."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edge.errors import DatasetError
from edge.image_types import Image
from models.commands.products import command
from models.data import products as module
from models.data.free_images import FreeImage
from models.data.outlines import OUTLINES, outline
from models.data.parts import ObjectParts, ShapedParts
from models.data.products import KINDS, TrainingProduct, training_products
from models.data.rendered import SIDE
from models.data.surfaces import SurfaceParts
from tests.models.pictures import pictures, read


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[FreeImage]:
    return pictures(tmp_path_factory.mktemp("pictures"), surfaces=24, objects=12)


def sources(product: TrainingProduct) -> set[Path]:
    parts = product.parts
    if isinstance(parts, SurfaceParts):
        return {parts.path}
    return {parts.path, parts.ground} if isinstance(parts, ObjectParts | ShapedParts) else set()


def histogram(image: Image) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    levels = cv2.GaussianBlur(grey, (0, 0), 4)
    return np.asarray(cv2.calcHist([levels], [0], None, [32], [0, 256]).ravel() / levels.size, np.float32)


def test_the_same_part_is_the_same_picture_also_in_another_run(images: list[FreeImage]) -> None:
    first, second = (training_products(12, seed=4, images=images) for _ in range(2))
    for one, two in zip(first, second, strict=True):
        assert (one.name, one.description) == (two.name, two.description)
        assert one.good(7).shape in ((SIDE, SIDE), (SIDE, SIDE, 3)) and one.good(7).dtype == np.uint8
        assert np.array_equal(one.good(7), two.good(7))


def test_parts_of_a_product_differ_but_resemble_each_other(images: list[FreeImage]) -> None:
    products = training_products(24, seed=1, images=images)
    own, foreign = [], []
    for product, other in zip(products, products[4:] + products[:4], strict=True):
        one, two = product.good(0), product.good(1)
        assert one.shape == two.shape and not np.array_equal(one, two)
        own.append(np.abs(histogram(one) - histogram(two)).sum())
        foreign.append(np.abs(histogram(one) - histogram(other.good(0))).sum())
    assert np.mean(np.array(own) < np.array(foreign)) > 0.8
    assert np.median(own) < 0.5 * np.median(foreign)


def test_some_products_hardly_vary_and_some_clearly_do(images: list[FreeImage]) -> None:
    products = training_products(40, kinds=("surface",), images=images)
    moves = [np.abs(p.good(0).astype(int) - p.good(1)).mean() for p in products]
    assert min(moves) < 6 and max(moves) > 15
    assert {p.good(0).ndim for p in products} == {2, 3}


def test_kinds_take_turns_and_all_packages_are_used(images: list[FreeImage]) -> None:
    products = training_products(40, images=images)
    assert [p.kind for p in products] == list(KINDS) * 10
    assert len({p.name for p in products}) == 40
    used = {path for product in products for path in sources(product)}
    assert {i.package for i in images if i.path in used} == {"textures-0", "textures-1"}
    assert {p.parts.outline for p in products if isinstance(p.parts, ShapedParts)} == set(OUTLINES)


def test_validation_shares_no_picture_with_training(images: list[FreeImage]) -> None:
    used = [
        {path for p in training_products(200, seed, images=images, held_out=held_out) for path in sources(p)}
        for seed in (0, 1)
        for held_out in (False, True)
    ]
    assert used[1] and used[3]
    assert not (used[0] | used[2]) & (used[1] | used[3])


def test_descriptions_are_phrases_that_a_prompt_can_use(images: list[FreeImage]) -> None:
    for product in training_products(48, images=images):
        assert (
            product.description.startswith(("a ", "an "))
            and product.description == product.description.strip()
        )
    said = {p.kind: p.description for p in training_products(4, images=images)}
    assert said["surface"] == "a wooden surface" and said["object"] == "a wheel"
    assert said["shaped"] == "a wooden disc seen from above"


def test_rendered_products_need_no_pictures() -> None:
    products = training_products(3, kinds=("rendered",))
    assert [p.kind for p in products] == ["rendered"] * 3
    assert not np.array_equal(
        products[0].good(0), training_products(3, kinds=("rendered",), held_out=True)[0].good(0)
    )


def test_a_kind_without_pictures_is_named() -> None:
    with pytest.raises(DatasetError, match="no images of that kind"):
        training_products(4, images=[])


@pytest.mark.parametrize("kind", OUTLINES)
def test_an_outline_is_a_part_with_a_ground_around_it(kind: str) -> None:
    for seed in range(8):
        alpha = outline(np.random.default_rng(seed), kind, 200)
        share = (alpha > 127).mean()
        assert 0.08 < share < 0.9
        border = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
        assert not border.any()


def test_the_command_writes_a_sheet(
    tmp_path: Path, images: list[FreeImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "free_images", lambda: images)
    out = tmp_path / "sheet.png"
    result = CliRunner().invoke(command, ["--out", str(out), "--count", "3"])
    assert result.exit_code == 0, result.output
    assert read(out).shape == (2 * 166, 14 * 150, 3)
    result = CliRunner().invoke(command, ["--out", str(tmp_path / "no" / "x.png"), "--count", "1"])
    assert result.exit_code == 1 and "Cannot write" in result.output
