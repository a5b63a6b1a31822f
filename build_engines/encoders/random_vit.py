"""Random weights in a preset's real shape: its graph without its download.

What a graph costs, and whether an engine can be built of it, depends on shapes alone.
"""

from __future__ import annotations

import numpy as np

from build_engines.encoders import family_of
from build_engines.graph.vit import VitLayerWeights, VitWeights
from build_engines.presets import Preset
from edge.errors import ConfigError
from edge.image_types import Array


def random_vit(preset: Preset, seed: int = 0) -> VitWeights:
    """The encoder of a preset with random weights; the same seed gives the same.

    Weights are scaled so that tokens neither grow nor fade from layer to layer.

    Raises:
        ConfigError: the preset does not tell its encoder's architecture.
    """
    shape = preset.architecture
    if shape is None:
        raise ConfigError(f"Preset {preset.name} has no architecture.", "Add it to the preset's file.")
    traits = family_of(preset.family).TRAITS
    rng = np.random.default_rng(seed)
    width, hidden = shape.width, shape.mlp_width

    def normal(*sides: int, spread: float) -> Array:
        numbers: Array = rng.standard_normal(sides, np.float32) * np.float32(spread)
        return numbers

    def linear(inputs: int, outputs: int) -> tuple[Array, Array]:
        return normal(inputs, outputs, spread=inputs**-0.5), normal(outputs, spread=0.02)

    def norm() -> tuple[Array, Array]:
        return 1 + normal(width, spread=0.1), normal(width, spread=0.02)

    def layer() -> VitLayerWeights:
        return VitLayerWeights(
            norm1=norm(),
            qkv=linear(width, 3 * width),
            attention_out=linear(width, width),
            norm2=norm(),
            mlp_in=linear(width, hidden),
            mlp_out=linear(hidden, width),
        )

    pixels = 3 * shape.patch**2
    return VitWeights(
        patch_weight=normal(width, 3, shape.patch, shape.patch, spread=pixels**-0.5),
        patch_bias=normal(width, spread=0.02 if traits.patch_bias else 0),
        class_token=normal(width, spread=1),
        class_position=normal(width, spread=0.1),
        patch_positions=normal(shape.grid, shape.grid, width, spread=0.1),
        pre_norm=norm() if traits.pre_norm else None,
        layers=tuple(layer() for _ in range(shape.layers)),
        heads=shape.heads,
        activation=traits.activation,
        epsilon=traits.epsilon,
        pixel_mean=traits.pixel_mean,
        pixel_std=traits.pixel_std,
    )
