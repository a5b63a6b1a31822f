"""CLIP (Radford et al., 2021) from a checkpoint of ``transformers``' CLIPModel: of OpenAI or of OpenCLIP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel

from build_engines.encoders import FamilyTraits
from build_engines.encoders.checkpoint import Checkpoint, joined, read_config, square
from build_engines.graph.numpy_vit import Reference, numpy_reference
from build_engines.graph.own_text import OwnText, values_of
from build_engines.graph.text_tower import ClipTokenizer, TextTower, state_directions
from build_engines.graph.vit import VitLayerWeights, VitWeights
from edge.errors import ConfigError, SourceError

TRAITS = FamilyTraits(
    pixel_mean=(0.48145466, 0.4578275, 0.40821073),
    pixel_std=(0.26862954, 0.26130258, 0.27577711),
    epsilon=1e-5,
    activation="quick_gelu",
    pre_norm=True,
    patch_bias=False,
)
# What the image tower leaves unread: the text tower, what joins the two, and buffers of old versions.
_NOT_USED = (
    "text_model.",
    "text_projection.",
    "visual_projection.",
    "vision_model.post_layernorm.",
    "vision_model.embeddings.position_ids",
    "logit_scale",
)


class _Tower(BaseModel):
    """What ``config.json`` says of a tower that the tensors do not; the defaults are CLIPConfig's."""

    num_attention_heads: int
    hidden_act: Literal["quick_gelu", "gelu"] = "quick_gelu"
    layer_norm_eps: float = TRAITS.epsilon


class _ClipConfig(BaseModel):
    vision_config: _Tower
    text_config: _Tower


def read_weights(files: Mapping[str, Path]) -> VitWeights:
    """See :meth:`build_engines.encoders.Family.read_weights`."""
    config, checkpoint = read_config(files, _ClipConfig).vision_config, Checkpoint(files["weights"])
    name = "vision_model.embeddings"
    class_token = checkpoint.tensor(f"{name}.class_embedding", -1)
    width = class_token.size
    positions = checkpoint.tensor(f"{name}.position_embedding.weight", -1, width)
    weights = VitWeights(
        patch_weight=checkpoint.tensor(f"{name}.patch_embedding.weight", width, 3, -1, -1),
        patch_bias=np.zeros(width, np.float32),
        class_token=class_token,
        class_position=positions[0],
        patch_positions=square(positions[1:]),
        pre_norm=checkpoint.norm("vision_model.pre_layrnorm", width),  # Its name in every checkpoint.
        layers=_layers(checkpoint, "vision_model", width),
        heads=config.num_attention_heads,
        activation=config.hidden_act,
        epsilon=config.layer_norm_eps,
        pixel_mean=TRAITS.pixel_mean,
        pixel_std=TRAITS.pixel_std,
    )
    checkpoint.refuse_unknown(_NOT_USED)
    return weights


def reference(files: Mapping[str, Path]) -> Reference:
    """See :meth:`build_engines.encoders.Family.reference`."""
    return numpy_reference(read_weights(files))


def own_text(files: Mapping[str, Path], taps: Sequence[int]) -> OwnText:
    """See :meth:`build_engines.encoders.Family.own_text`."""
    checkpoint = Checkpoint(files["weights"])
    last = checkpoint.count("vision_model.encoder.layers.") - 1
    if last - 1 not in taps:
        raise ConfigError(
            f"CLIP's text map reads the output of layer {last - 1}, which is not among the taps.",
            "Add it to the taps, or copy the preset without own_text.",
        )
    if "tokenizer" not in files:
        raise SourceError(
            "CLIP's text map needs the checkpoint's tokenizer.",
            "Add tokenizer.json to the source as the file `tokenizer`.",
        )
    tower = read_text_tower(files)
    width = checkpoint.tensor("vision_model.embeddings.class_embedding").size
    layer = _layer(checkpoint, f"vision_model.encoder.layers.{last}", width)
    return OwnText(
        tap=list(taps).index(last - 1),
        value_norm=layer.norm1,
        value=values_of(layer.qkv, layer.attention_out),
        final_norm=checkpoint.norm("vision_model.post_layernorm", width),
        projection=checkpoint.tensor("visual_projection.weight", tower.projection.shape[1], width).T,
        epsilon=read_config(files, _ClipConfig).vision_config.layer_norm_eps,
        states=state_directions(tower, ClipTokenizer(files["tokenizer"], len(tower.positions))),
    )


def read_text_tower(files: Mapping[str, Path]) -> TextTower:
    """The text tower.

    Raises:
        SourceError: a file is not what this family reads.
    """
    config, checkpoint = read_config(files, _ClipConfig).text_config, Checkpoint(files["weights"])
    embedding = checkpoint.tensor("text_model.embeddings.token_embedding.weight", -1, -1)
    width = embedding.shape[1]
    return TextTower(
        embedding=embedding,
        positions=checkpoint.tensor("text_model.embeddings.position_embedding.weight", -1, width),
        layers=_layers(checkpoint, "text_model", width),
        final_norm=checkpoint.norm("text_model.final_layer_norm", width),
        projection=checkpoint.tensor("text_projection.weight", -1, width).T,
        heads=config.num_attention_heads,
        activation=config.hidden_act,
        epsilon=config.layer_norm_eps,
    )


def _layers(checkpoint: Checkpoint, tower: str, width: int) -> tuple[VitLayerWeights, ...]:
    prefix = f"{tower}.encoder.layers."
    return tuple(_layer(checkpoint, f"{prefix}{n}", width) for n in range(checkpoint.count(prefix)))


def _layer(checkpoint: Checkpoint, name: str, width: int) -> VitLayerWeights:
    mlp_in = checkpoint.linear(f"{name}.mlp.fc1", width)
    return VitLayerWeights(
        norm1=checkpoint.norm(f"{name}.layer_norm1", width),
        qkv=joined([checkpoint.linear(f"{name}.self_attn.{p}_proj", width, width) for p in "qkv"]),
        attention_out=checkpoint.linear(f"{name}.self_attn.out_proj", width, width),
        norm2=checkpoint.norm(f"{name}.layer_norm2", width),
        mlp_in=mlp_in,
        mlp_out=checkpoint.linear(f"{name}.mlp.fc2", mlp_in[1].size, width),
    )
