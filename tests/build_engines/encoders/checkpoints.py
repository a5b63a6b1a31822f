"""Small checkpoints of random weights, saved by ``transformers`` itself in the layout of the hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from build_engines.presets import Preset, load_preset
from edge.fetch import sha256_of

torch = pytest.importorskip("torch", reason="needs torch, of the extra `train`")
transformers = pytest.importorskip(
    "transformers", reason="needs transformers: pip install 'anomalygpt-edge[train]'"
)

WIDTH, LAYERS, PATCH, GRID, TEXT_WIDTH, LONGEST = 64, 4, 8, 6, 24, 24
WORDS = "photo the that of a object perfect flawless damage broken defect without with flaw part"


def save_clip(folder: Path, activation: str = "quick_gelu") -> tuple[Any, Mapping[str, Path]]:
    """A CLIPModel with its tokenizer, and its files by their role."""
    tokenizer = save_tokenizer(folder)
    tower = {"num_hidden_layers": LAYERS, "hidden_act": activation}
    config = transformers.CLIPConfig(
        vision_config={
            **tower,
            "hidden_size": WIDTH,
            "intermediate_size": 2 * WIDTH,
            "num_attention_heads": 4,
            "image_size": PATCH * GRID,
            "patch_size": PATCH,
        },
        text_config={
            **tower,
            "hidden_size": 48,
            "intermediate_size": 96,
            "num_attention_heads": 3,
            "max_position_embeddings": LONGEST,
            "vocab_size": len(tokenizer),
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        },
        projection_dim=TEXT_WIDTH,
    )
    return _saved(transformers.CLIPModel(config), folder)


def save_dinov2(folder: Path) -> tuple[Any, Mapping[str, Path]]:
    """A Dinov2Model, and its files by their role."""
    config = transformers.Dinov2Config(
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        mlp_ratio=2,
        image_size=PATCH * GRID,
        patch_size=PATCH,
    )
    return _saved(transformers.Dinov2Model(config), folder)


def save_tokenizer(folder: Path) -> Any:
    """A CLIPTokenizer with a vocabulary of its own: bytes, and merges of what English is made of."""
    letters = list(_byte_letters())
    merges, known = [], [*letters, *(f"{letter}</w>" for letter in letters)]
    for word in WORDS.split():
        parts = [*word[:-1], f"{word[-1]}</w>"]
        while len(parts) > 1:
            pair = (parts[0], parts[1])
            if pair not in merges:
                merges.append(pair)
                known.append("".join(pair))
            parts = ["".join(pair), *parts[2:]]
    words = [*dict.fromkeys(known), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = transformers.CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=LONGEST)
    tokenizer.save_pretrained(folder)
    return tokenizer


def hub_preset(folder: Path, family: str, files: Mapping[str, Path], **changes: object) -> Preset:
    """A preset file ``small.yaml`` in ``folder`` for files on this machine, loaded."""
    source = {
        "kind": "file",
        "what": "random weights",
        "path": str(files["weights"]),
        "sha256": sha256_of(files["weights"]),
        "licence": "Apache-2.0",
        "files": {
            role: {"path": str(path), "sha256": sha256_of(path)}
            for role, path in files.items()
            if role != "weights"
        },
    }
    content = {
        "name": "small",
        "family": family,
        "source": source,
        "input_size": PATCH * GRID,
        "taps": [1, LAYERS - 2],
        "allowed_taps": list(range(LAYERS)),
        "precisions": ["fp32"],
        "own_text": family == "clip",
    }
    file = folder / "small.yaml"
    file.write_text(yaml.safe_dump({**content, **changes}))
    return load_preset(str(file))


def pixels(image: np.ndarray, mean: tuple[float, ...], std: tuple[float, ...]) -> Any:
    """What the models take for a BGR image: float32 (1, 3, H, W), normalised RGB."""
    rgb = image[:, :, ::-1].astype(np.float32) / 255
    normed = (rgb - np.array(mean, np.float32)) / np.array(std, np.float32)
    return torch.from_numpy(normed.transpose(2, 0, 1)[None].copy())


def _saved(model: Any, folder: Path) -> tuple[Any, Mapping[str, Path]]:
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Weights that do something: as initialised, attention is uniform and norms are the identity.
            spread = 0.3 if parameter.ndim < 2 or "embedding" in name else parameter[0].numel() ** -0.5
            noise = torch.randn(parameter.shape, generator=rng) * spread
            is_norm = ("norm" in name and name.endswith("weight")) or "lambda" in name
            parameter.copy_(1 + noise if is_norm else noise)
    model.eval().save_pretrained(folder)
    names = {"weights": "model.safetensors", "config": "config.json", "tokenizer": "tokenizer.json"}
    return model, {role: folder / name for role, name in names.items() if (folder / name).is_file()}


def _byte_letters() -> str:
    """The letter that byte-level BPE writes for each byte."""
    kept = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = (byte for byte in range(256) if byte not in kept)
    letters = {byte: chr(byte) for byte in kept} | {byte: chr(256 + n) for n, byte in enumerate(others)}
    return "".join(letters[byte] for byte in range(256))
