"""A bundle is what its manifest says, byte for byte, or it is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import MANIFEST_NAME, SEAL_NAME, Bundle, seal
from edge.errors import BundleError
from edge.fetch import sha256_of

GRAPHS = {"vision.fp32.onnx": b"graph in fp32", "vision.int8.onnx": b"graph in int8"}
TALKING = {  # A language half whose files are listed, if nothing like what they should be.
    "gguf": "vision.fp32.onnx",
    "base_rows": "vision.int8.onnx",
    "part_rows": 10,
    "architecture": "llama",
    "embedding_width": 576,
}


def written(folder: Path, **changes: Any) -> Path:
    """A bundle of small files; ``changes`` replace fields of its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in GRAPHS.items():
        (folder / name).write_bytes(content)
    manifest = {
        "version": 1,
        "name": "small",
        "encoder": {
            "family": "dinov2",
            "input_size": [448, 448],
            "patch": 14,
            "taps": [6, 7],
            "width": 384,
            "feature_width": 384,
        },
        "graphs": {
            "fp32": {"file": "vision.fp32.onnx", "float_type": "f32"},
            "int8": {"file": "vision.int8.onnx", "float_type": "bf16"},
        },
        "origins": [],
        "tools": {"onnx": "1"},
        "files": {
            name: {"sha256": sha256_of(folder / name), "bytes": len(content)}
            for name, content in GRAPHS.items()
        },
        **changes,
    }
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest))
    seal(folder)
    return folder


def test_an_intact_bundle_is_loaded(tmp_path: Path) -> None:
    bundle = Bundle.load(written(tmp_path / "small"))
    assert bundle.name == "small"
    assert bundle.manifest.encoder.grid == (32, 32)
    assert bundle.file(bundle.graph("int8").file).read_bytes() == GRAPHS["vision.int8.onnx"]


def test_a_bundle_may_talk_or_only_see(tmp_path: Path) -> None:
    assert Bundle.load(written(tmp_path / "a")).manifest.language is None
    language = Bundle.load(written(tmp_path / "b", language=TALKING)).manifest.language
    assert language is not None
    assert (language.embedding_width, language.embedding_scale) == (576, 1.0)


def test_the_same_files_give_the_same_id_and_others_another(tmp_path: Path) -> None:
    first = Bundle.load(written(tmp_path / "a"))
    again = Bundle.load(written(tmp_path / "b", tools={"onnx": "2"}))
    assert first.id == again.id
    assert first.id.startswith("small-")
    other = {**first.manifest.model_dump(mode="json")["files"]}
    del other["vision.int8.onnx"]
    graphs = {"fp32": {"file": "vision.fp32.onnx", "float_type": "f32"}}
    assert Bundle.load(written(tmp_path / "c", files=other, graphs=graphs)).id != first.id


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("at", [0, 5, -1])
def test_one_flipped_bit_is_found_and_the_file_named(tmp_path: Path, name: str, at: int) -> None:
    folder = written(tmp_path)
    content = bytearray((folder / name).read_bytes())
    content[at] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError, match=name) as caught:
        Bundle.load(folder)
    assert "python -m build_engines build small" in caught.value.remedy


@pytest.mark.parametrize("name", [MANIFEST_NAME, SEAL_NAME])
def test_any_flipped_byte_of_the_manifest_and_its_seal_is_found(tmp_path: Path, name: str) -> None:
    """Each byte one by one, also where it would only describe: a licence, a measured figure, a space."""
    file = written(tmp_path) / name
    content = file.read_bytes()
    for at in range(len(content)):
        flipped = bytearray(content)
        flipped[at] ^= 0xFF if at % 2 else 1
        file.write_bytes(flipped)
        with pytest.raises(BundleError, match=name) as caught:
            Bundle.load(tmp_path)
        assert "python -m build_engines build" in caught.value.remedy
    file.write_bytes(content)
    Bundle.load(tmp_path)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not installed")
def test_the_seal_is_what_sha256sum_checks(tmp_path: Path) -> None:
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", SEAL_NAME], cwd=written(tmp_path), check=False
    )
    assert checked.returncode == 0


def test_only_the_language_models_file_may_be_left_to_whoever_reads_it(tmp_path: Path) -> None:
    files = {**GRAPHS, "model.gguf": b"GGUF"}
    listed = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in files.items()
    }
    folder = written(tmp_path, language={**TALKING, "gguf": "model.gguf"}, files=listed)
    (folder / "model.gguf").write_bytes(b"GGUG")
    with pytest.raises(BundleError, match=r"model\.gguf"):
        Bundle.load(folder)
    assert Bundle.load(folder, language_later=True).manifest.language is not None
    (folder / "vision.fp32.onnx").write_bytes(b"")
    with pytest.raises(BundleError, match=r"vision\.fp32\.onnx"):
        Bundle.load(folder, language_later=True)


@pytest.mark.parametrize("name", [*GRAPHS, MANIFEST_NAME, SEAL_NAME])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = written(tmp_path)
    (folder / name).unlink()
    with pytest.raises(BundleError, match=name):
        Bundle.load(folder)


def test_a_file_that_was_cut_short_is_named(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "vision.fp32.onnx").write_bytes(b"")
    with pytest.raises(BundleError, match=r"vision\.fp32\.onnx"):
        Bundle.load(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 2}, "manifest version 2"),  # made by a later program
        ({"surprise": 1}, "surprise"),  # a field that nobody knows is no field to be ignored
        ({"name": "../elsewhere"}, "name"),  # a name becomes a folder's name
        ({"files": {"../vision.onnx": {"sha256": "0" * 64, "bytes": 1}}}, "files"),  # leaves the folder
        ({"files": {"a": {"sha256": "short", "bytes": 1}}}, "sha256"),
        ({"graphs": {"fp32": {"file": "other.onnx", "float_type": "f32"}}}, "not among the files"),
        ({"graphs": {"fp8": {"file": "vision.fp32.onnx", "float_type": "f32"}}}, "graphs"),
        # a language half whose files nobody checks
        ({"language": {**TALKING, "gguf": "model.gguf"}}, "language half's 'model.gguf' is not among the"),
        ({"language": {**TALKING, "base_rows": "rows.npy"}}, "language half's 'rows.npy' is not among the"),
        ({"language": {**TALKING, "part_rows": 0}}, "part_rows"),  # nothing to judge by
        ({"language": {**TALKING, "embedding_width": "wide"}}, "embedding_width"),
    ],
)
def test_a_manifest_that_cannot_be_trusted_is_refused(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(BundleError, match=words):
        Bundle.load(written(tmp_path, **changes))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_manifest_that_is_no_json_object_is_refused(tmp_path: Path, content: bytes) -> None:
    (written(tmp_path) / MANIFEST_NAME).write_bytes(content)
    seal(tmp_path)
    with pytest.raises(BundleError, match=MANIFEST_NAME):
        Bundle.load(tmp_path)


def test_a_bundle_is_found_by_its_name_or_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALYGPT_EDGE_CACHE", str(tmp_path / "cache"))
    in_cache = written(tmp_path / "cache" / "bundles" / "small")
    assert Bundle.resolve("small").path == in_cache
    assert Bundle.resolve(str(in_cache)).path == in_cache
    elsewhere = written(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    assert Bundle.resolve("elsewhere").path == elsewhere


def test_the_default_bundle_says_how_to_build_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALYGPT_EDGE_CACHE", str(tmp_path))
    with pytest.raises(BundleError, match="dinov2-s") as caught:
        Bundle.default()
    assert caught.value.remedy == "Build it: python -m build_engines build dinov2-s"


def test_a_precision_that_was_not_built_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bf16 graph; it has fp32, int8"):
        Bundle.load(written(tmp_path)).graph("bf16")
