"""Random weights in a preset's real shape stand in for a download wherever only shapes matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from build_engines.assembly.export import vision_graph
from build_engines.encoders.random_vit import random_vit
from build_engines.presets import load_preset, preset_names
from edge.errors import ConfigError
from tests.build_engines.tiny import tiny_preset

SMALL = {"layers": 3, "width": 64, "heads": 2, "patch": 14, "grid": 4}


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_that_ships_tells_a_shape_that_its_size_and_taps_fit(name: str) -> None:
    preset = load_preset(name)
    assert preset.architecture is not None
    assert all(side % preset.architecture.patch == 0 for side in preset.input_size)
    assert max(preset.allowed_taps) < preset.architecture.layers
    assert preset.architecture.width % preset.architecture.heads == 0


@pytest.mark.parametrize("family", ["dinov2", "clip"])
def test_the_graph_of_random_weights_runs_and_its_tokens_neither_grow_nor_fade(
    tmp_path: Path, family: str
) -> None:
    preset = tiny_preset(tmp_path, family=family, architecture={**SMALL, "layers": 12, "mlp_width": 96})
    vit = random_vit(preset)
    assert vit.layers[0].mlp_in[0].shape == (64, 96)
    model = vision_graph(vit, (56, 56), (1, 11))
    for name in ("tap.1", "tap.11"):
        model.graph.output.add().name = name
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).integers(0, 255, (1, 56, 56, 3), np.uint8)
    memory = {"bank": np.eye(1, 64, dtype=np.float32), "scale": np.array([0, 1], np.float32)}
    early, late = session.run(["tap.1", "tap.11"], {"image": image, **memory})
    assert 0.3 < early.std() < 10
    assert 0.3 < late.std() < 10


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    preset = tiny_preset(tmp_path, architecture=SMALL)
    same = [random_vit(preset, seed).layers[2].qkv[0] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(same[0], same[1])
    assert not np.array_equal(same[0], same[2])


def test_a_preset_without_a_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no architecture"):
        random_vit(tiny_preset(tmp_path))
