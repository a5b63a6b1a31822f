"""The graph, and the numpy forward that it is held against, equal ``transformers``' own models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from build_engines.assembly.export import vision_graph
from build_engines.encoders import family_of
from build_engines.graph.numpy_vit import vit_taps
from tests.build_engines.encoders.checkpoints import (
    GRID,
    LAYERS,
    PATCH,
    pixels,
    save_clip,
    save_dinov2,
    torch,
)
from tests.build_engines.encoders.graph import run
from tests.build_engines.tiny import picture

NATIVE = PATCH * GRID
SIZES = [(NATIVE, NATIVE), (80, 80), (32, 32), (40, 72)]  # as trained, larger, smaller, not square
TAPS = tuple(range(LAYERS))


def assert_taps_equal(family: str, model: Any, files: Any, size: tuple[int, int], **options: object) -> None:
    image = picture(3, (*size, 3))
    traits = family_of(family).TRAITS
    with torch.no_grad():
        given = pixels(image, traits.pixel_mean, traits.pixel_std)
        states = model(given, output_hidden_states=True, **options).hidden_states
    expected = [states[1 + tap][0, 1:].numpy() for tap in TAPS]
    vit = family_of(family).read_weights(files)
    ours = run(vision_graph(vit, size, TAPS), image, [f"tap.{tap}" for tap in TAPS])
    for tap, theirs in enumerate(expected):
        assert np.abs(theirs).max() > 1  # There is something to compare.
        np.testing.assert_allclose(ours[tap][0], theirs, atol=1e-4)
        np.testing.assert_allclose(vit_taps(vit, image, TAPS)[tap], theirs, atol=1e-4)


@pytest.fixture(scope="module", params=["quick_gelu", "gelu"])
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    return save_clip(tmp_path_factory.mktemp(request.param), request.param)


@pytest.mark.parametrize("size", SIZES)
def test_every_tap_of_clip(clip: tuple[Any, Any], size: tuple[int, int]) -> None:
    model, files = clip
    assert_taps_equal("clip", model.vision_model, files, size, interpolate_pos_encoding=True)


@pytest.fixture(scope="module")
def dinov2(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    return save_dinov2(tmp_path_factory.mktemp("dinov2"))


@pytest.mark.parametrize("size", SIZES)
def test_every_tap_of_dinov2(dinov2: tuple[Any, Any], size: tuple[int, int]) -> None:
    model, files = dinov2
    assert_taps_equal("dinov2", model, files, size)


def test_a_checkpoint_in_half_precision_is_read_as_it_is(tmp_path: Path) -> None:
    model, files = save_dinov2(tmp_path)
    model.half().save_pretrained(tmp_path)
    assert_taps_equal("dinov2", model.float(), files, (NATIVE, NATIVE))
