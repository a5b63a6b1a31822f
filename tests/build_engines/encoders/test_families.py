"""Checkpoints that are another model's are refused, naming what does not fit."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from build_engines.assembly.export import read_weights
from build_engines.encoders import family_of
from edge.errors import ConfigError, SourceError
from tests.build_engines.encoders.checkpoints import (
    GRID,
    LAYERS,
    PATCH,
    WIDTH,
    hub_preset,
    save_clip,
    save_dinov2,
)

Files = Mapping[str, Path]
SHAPE = {"layers": LAYERS, "width": WIDTH, "heads": 4, "patch": PATCH, "grid": GRID, "mlp_width": 2 * WIDTH}


@pytest.fixture
def clip(tmp_path: Path) -> Files:
    return save_clip(tmp_path)[1]


@pytest.fixture
def dinov2(tmp_path: Path) -> Files:
    return save_dinov2(tmp_path)[1]


def changed(files: Files, change: Callable[[dict[str, np.ndarray]], object]) -> Files:
    tensors = load_file(files["weights"])
    change(tensors)
    save_file(tensors, files["weights"])
    return files


@pytest.mark.parametrize(
    "name",
    [
        "vision_model.pre_layrnorm.weight",
        "vision_model.encoder.layers.2.self_attn.k_proj.bias",
        "vision_model.embeddings.position_embedding.weight",
    ],
)
def test_a_clip_without_a_tensor_is_refused(clip: Files, name: str) -> None:
    files = changed(clip, lambda tensors: tensors.pop(name))
    with pytest.raises(SourceError, match=f"no tensor '{name}'"):
        family_of("clip").read_weights(files)


def test_the_buffers_that_older_checkpoints_hold_are_passed_over(clip: Files) -> None:
    buffers = {
        f"{tower}.embeddings.position_ids": np.arange(9)[None] for tower in ("vision_model", "text_model")
    }
    files = changed(clip, lambda tensors: tensors.update(buffers))
    assert len(family_of("clip").read_weights(files).layers) == LAYERS


def test_registers_are_not_read_as_if_they_were_not_there(dinov2: Files) -> None:
    name = "embeddings.register_tokens"
    files = changed(dinov2, lambda tensors: tensors.update({name: np.zeros((1, 4, WIDTH), np.float32)}))
    with pytest.raises(SourceError, match=f"unknown tensor '{name}'"):
        family_of("dinov2").read_weights(files)


def test_another_activation_is_refused(clip: Files) -> None:
    config = json.loads(clip["config"].read_text())
    config["vision_config"]["hidden_act"] = "silu"
    clip["config"].write_text(json.dumps(config))
    with pytest.raises(SourceError, match=r"vision_config\.hidden_act"):
        family_of("clip").read_weights(clip)


def test_one_familys_checkpoint_is_not_anothers(clip: Files) -> None:
    with pytest.raises(SourceError, match=r"config\.json: num_attention_heads"):
        family_of("dinov2").read_weights(clip)


def test_the_preset_must_tell_the_shape_that_the_checkpoint_has(tmp_path: Path, dinov2: Files) -> None:
    right = hub_preset(tmp_path, "dinov2", dinov2, architecture=SHAPE)
    assert len(read_weights(right, right.source.fetch_all()).layers) == LAYERS
    wrong = hub_preset(tmp_path, "dinov2", dinov2, architecture={**SHAPE, "heads": 2})
    with pytest.raises(SourceError, match=r"heads=2.*heads=4"):
        read_weights(wrong, wrong.source.fetch_all())


def test_an_encoder_without_a_text_tower_makes_no_text_map(dinov2: Files) -> None:
    with pytest.raises(ConfigError, match="no text tower"):
        family_of("dinov2").own_text(dinov2, (1, 2))


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(ConfigError, match="no encoder family 'eva'"):
        family_of("eva")
