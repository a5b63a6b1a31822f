"""What a bundle says of its language model is what the language room is told, or a clear refusal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import MANIFEST_NAME, Bundle, seal
from edge.errors import BundleError
from edge.fetch import sha256_of
from edge.language import bundled_model

ROWS = np.random.default_rng(0).normal(0, 0.1, (12, 576))


def talking(folder: Path, rows: np.ndarray | bytes) -> Bundle:
    """A bundle with a language half with these base rows, or these bytes in the place of their file."""
    folder.mkdir()
    (folder / "model.gguf").write_bytes(b"GGUF, says the manifest")
    if isinstance(rows, bytes):
        (folder / "base.npy").write_bytes(rows)
    else:
        np.save(folder / "base.npy", rows, allow_pickle=rows.dtype == object)
    manifest = {
        "name": "small",
        "encoder": {
            "family": "dinov2",
            "input_size": [84, 84],
            "patch": 14,
            "taps": [1],
            "width": 8,
            "feature_width": 8,
        },
        "graphs": {},
        "language": {
            "gguf": "model.gguf",
            "base_rows": "base.npy",
            "part_rows": 10,
            "architecture": "gemma3",
            "embedding_width": 576,
            "embedding_scale": 24,
        },
        "origins": [],
        "tools": {},
        "files": {
            path.name: {"sha256": sha256_of(path), "bytes": path.stat().st_size} for path in folder.iterdir()
        },
    }
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest))
    seal(folder)
    return Bundle.load(folder)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_the_model_is_what_the_manifest_names_and_its_rows_are_read(tmp_path: Path, dtype: str) -> None:
    bundle = talking(tmp_path / "bundle", ROWS.astype(dtype))
    model = bundled_model(bundle)
    assert model.gguf == bundle.path / "model.gguf"
    assert model.sha256 == sha256_of(model.gguf)
    assert (model.architecture, model.embedding_width, model.embedding_scale) == ("gemma3", 576, 24)
    assert model.part_rows == 10
    assert model.base_rows is not None and model.base_rows.dtype == np.float32
    np.testing.assert_allclose(model.base_rows, ROWS, atol=1e-3)


def test_a_bundle_that_only_sees_is_refused_with_what_to_do(tiny_bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="Bundle tiny has no language half") as caught:
        bundled_model(tiny_bundle)
    assert "calibrated score decide" in caught.value.remedy
    assert "python -m build_engines build dinov2-s" in caught.value.remedy


@pytest.mark.parametrize(
    "rows",
    [
        b"",
        b"these are no rows",
        np.array([{"a": "pickle"}], dtype=object),  # no pickle is ever loaded
    ],
)
def test_rows_that_cannot_be_read_are_named(tmp_path: Path, rows: np.ndarray | bytes) -> None:
    bundle = talking(tmp_path / "bundle", rows)
    with pytest.raises(BundleError, match=r"Bundle small: base\.npy") as caught:
        bundled_model(bundle)
    assert "Build the bundle again" in caught.value.remedy
