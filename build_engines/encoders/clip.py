"""CLIP (Radford et al., 2021) from safetensors in the layout of ``transformers``' CLIPModel."""

from __future__ import annotations

from build_engines.encoders import Traits

TRAITS = Traits(
    pixel_mean=(0.48145466, 0.4578275, 0.40821073),
    pixel_std=(0.26862954, 0.26130258, 0.27577711),
    epsilon=1e-5,
    activation="quick_gelu",
    pre_norm=True,
    patch_bias=False,
)
