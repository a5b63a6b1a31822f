"""Checkpoints: what is missing, unknown or of another shape is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel
from safetensors.numpy import save_file

from build_engines.encoders.checkpoint import Checkpoint, read_config, square
from edge.errors import SourceError


class Config(BaseModel):
    heads: int
    act: str = "gelu"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    tensors = {
        "layers.0.weight": np.arange(6, dtype=np.float16).reshape(2, 3),
        "layers.0.bias": np.ones(2, np.float32),
        "layers.11.weight": np.ones(1, np.float32),
        "ids": np.arange(3),
    }
    save_file(tensors, tmp_path / "m.safetensors")
    return Checkpoint(tmp_path / "m.safetensors")


def test_a_linear_layer_is_turned_and_float32(checkpoint: Checkpoint) -> None:
    matrix, bias = checkpoint.linear("layers.0", 3)
    assert matrix.shape == (3, 2)
    assert matrix.dtype == bias.dtype == np.dtype(np.float32)
    np.testing.assert_array_equal(matrix[:, 1], [3, 4, 5])


def test_layers_are_counted_by_their_numbers(checkpoint: Checkpoint) -> None:
    assert checkpoint.count("layers.") == 2
    assert checkpoint.count("blocks.") == 0


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("layers.1.weight", (), r"no tensor 'layers\.1\.weight'"),
        ("layers.0.weight", (2, 4), r"'layers\.0\.weight' has shape \(2, 3\), expected \(2, 4\)"),
        ("layers.0.weight", (-1,), r"has shape \(2, 3\)"),
        ("ids", (3,), "'ids' is I64"),
    ],
)
def test_what_does_not_fit_is_named(
    checkpoint: Checkpoint, name: str, shape: tuple[int, ...], words: str
) -> None:
    with pytest.raises(SourceError, match=words):
        checkpoint.tensor(name, *shape)


def test_what_nobody_read_is_named_unless_it_is_known(checkpoint: Checkpoint) -> None:
    checkpoint.linear("layers.0", 3)
    with pytest.raises(SourceError, match=r"unknown tensor 'layers\.11\.weight'"):
        checkpoint.refuse_unknown(["ids"])
    checkpoint.refuse_unknown(["ids", "layers.11."])


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"PK\x03\x04"])  # nothing, a pickle, a zip
def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(SourceError, match="not a safetensors file"):
        Checkpoint(tmp_path / "pytorch_model.bin")


def test_a_configuration_is_read_as_far_as_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"heads": 3, "torch_dtype": "float32"}))
    assert read_config({"config": tmp_path / "config.json"}, Config) == Config(heads=3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "configuration of the weights is missing"),
        ("{}", "heads: Field required"),
        ("{", "Cannot read"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused(
    tmp_path: Path, content: str | None, words: str
) -> None:
    files = {}
    if content is not None:
        files["config"] = tmp_path / "config.json"
        files["config"].write_text(content)
    with pytest.raises(SourceError, match=words):
        read_config(files, Config)


def test_positions_that_are_no_square_are_refused() -> None:
    assert square(np.zeros((9, 4), np.float32)).shape == (3, 3, 4)
    with pytest.raises(SourceError, match="8 patch positions"):
        square(np.zeros((8, 4), np.float32))
