"""From an encoder's weights to the vision graph: image and memory in, features, map and score out."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import onnx

from build_engines.head import HeadSpec, Port, write_head
from build_engines.onnx_writer import UINT8, GraphWriter
from build_engines.presets import Preset
from build_engines.vit import VitWeights, write_encoder
from edge.errors import ConfigError


def read_weights(preset: Preset, source: Path) -> VitWeights:
    """The encoder's weights, read by its family's module.

    Raises:
        SourceError: the file is not what the family's module reads.
        ConfigError: there is no such family.
    """
    try:
        family = importlib.import_module(f"build_engines.encoders.{preset.family}")
    except ModuleNotFoundError as error:
        raise ConfigError(f"Preset {preset.name}: there is no encoder family {preset.family!r}.") from error
    weights: VitWeights = family.read_onnx(source)
    return weights


def vision_graph(vit: VitWeights, size: tuple[int, int], taps: tuple[int, ...]) -> onnx.ModelProto:
    """The whole vision graph in float32.

    Args:
        vit: the encoder's weights.
        size: (H, W) in pixels.
        taps: layers, 0 for the first.

    Returns:
        A model with the inputs ``image``, uint8 (1, H, W, 1 or 3), and the head's.

    Raises:
        ConfigError: the size does not fit the patch, or the encoder has no such layer.
    """
    if min(size) < vit.patch or any(side % vit.patch for side in size):
        nearest = [max(vit.patch, round(side / vit.patch) * vit.patch) for side in size]
        raise ConfigError(
            f"The input size {size[0]}x{size[1]} is no multiple of the encoder's patch ({vit.patch}).",
            f"Take {nearest[0]}x{nearest[1]}.",
        )
    if not taps or min(taps) < 0 or max(taps) >= len(vit.layers):
        raise ConfigError(f"The encoder has layers 0 to {len(vit.layers) - 1}; the taps are {list(taps)}.")
    writer = GraphWriter()
    outputs = write_encoder(writer, "image", vit, size, taps)
    head = write_head(writer, outputs, HeadSpec(size, vit.patch, vit.width))
    image: Port = ("image", UINT8, [1, *size, "channels"])
    return writer.model("vision", [image, *head.inputs], head.outputs)


def save_onnx(model: onnx.ModelProto, path: Path) -> None:
    """Writes the model under a temporary name first, so that the file is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        onnx.save(model, str(part))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
