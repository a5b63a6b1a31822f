"""A description is refused where it is written, by the tokens of the model that will read it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import Bundle
from edge.errors import ProductError
from edge.language import ModelLimits, Runner, bundled_model, prompt_for
from edge.language.count_tokens import count_tokens
from edge.language.words import LONGEST_DESCRIPTION, LONGEST_DESCRIPTION_TOKENS
from edge.messaging.commands import Command
from edge.station.product import check_description
from edge.station.product_switch import ProductSwitch
from edge.station.products import Products
from edge.station.seeing import seen
from tests.edge.commands.conftest import Command as RunCommand
from tests.edge.commands.conftest import command, on_speaking_plate
from tests.edge.parts import write_parts
from tests.edge.station.conftest import PRODUCT

__all__ = ["command", "on_speaking_plate"]

RARE = "\U0001d518" * LONGEST_DESCRIPTION
"""Characters of four bytes, three tokens each: 200 of them are 600."""


def test_rare_characters_are_refused_at_enrollment(
    command: RunCommand, on_speaking_plate: list[object], tmp_path: Path
) -> None:
    image = write_parts(tmp_path / "parts", good=1)[0]
    done = command("enroll", *on_speaking_plate, "--description", RARE, image)
    assert (done.code, done.out) == (1, "")
    assert "tokens" in done.err and "room for 400" in done.err
    assert Products(tmp_path / "data").get(PRODUCT).version.number == 1, "it stays as it was"
    kept = Products(tmp_path / "data").folder / PRODUCT / "product.json"
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"description": RARE}))
    done = command("enroll", *on_speaking_plate)
    assert done.code == 1 and "tokens" in done.err, "learned again, it would still be too long"


def test_a_product_with_such_a_description_is_not_switched_to(
    speaking_enrolled: Path, speaking_bundle: Bundle, tmp_path: Path
) -> None:
    products = Products(tmp_path)
    for file in (speaking_enrolled / "products" / PRODUCT).rglob("*"):
        if file.is_file():
            target = products.folder / PRODUCT / file.relative_to(speaking_enrolled / "products" / PRODUCT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    switch = ProductSwitch(lambda name: seen(products, name, speaking_bundle))
    assert switch.ask(Command("product", "id-1", product=PRODUCT)) is not None
    file = products.folder / PRODUCT / "product.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"description": RARE}))
    with pytest.raises(ProductError, match="tokens"):
        switch.ask(Command("product", "id-2", product=PRODUCT))


def test_the_longest_description_leaves_room_for_a_part_and_its_sentence(speaking_bundle: Bundle) -> None:
    model = bundled_model(speaking_bundle)
    description = RARE[: LONGEST_DESCRIPTION_TOKENS // 3] + "a"
    assert count_tokens(model.gguf, description) == LONGEST_DESCRIPTION_TOKENS
    check_description(description, speaking_bundle)
    rows = np.zeros((38, model.embedding_width), np.float32)
    with Runner(model, ModelLimits(threads=2)) as runner:
        reading = runner.judge(prompt_for(description), rows)
        assert list(runner.answer(reading.dialogue))


def test_a_bundle_without_a_language_half_counts_characters(tiny_bundle: Bundle) -> None:
    assert check_description(RARE, tiny_bundle) == RARE
    with pytest.raises(ProductError, match="201 characters"):
        check_description(f"{RARE}x", tiny_bundle)
