"""What weights may be stored in: a pickle is refused by its name, and by its content under any name."""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper
from safetensors.numpy import save_file

from build_engines.sources.formats import check_content, pickle_name
from edge.errors import SourceError


class Payload:
    """What a pickle may hold: a call."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("ran",)


def zipped() -> bytes:
    """As torch.save writes it today."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Payload()))
    return file.getvalue()


def tarred() -> bytes:
    """As torch.save wrote it before 0.1.10."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"), io.BytesIO())
    return file.getvalue()


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "a.pt", "a.pth", "a.ckpt", "a.pkl", "A.PT", "x/y.pickle"]
)
def test_a_pickles_name_is_refused_with_the_way_out(name: str) -> None:
    refusal = pickle_name(name)
    assert refusal is not None
    assert "runs whatever code" in refusal
    assert "save_pretrained" in refusal


@pytest.mark.parametrize(
    "name", ["model.safetensors", "a.onnx", "a.gguf", "config.json", "merges.txt", "a.onnx_data"]
)
def test_other_names_are_not(name: str) -> None:
    assert pickle_name(name) is None


@pytest.mark.parametrize("suffix", [".safetensors", ".onnx", ".gguf", ".json"])
@pytest.mark.parametrize("content", [zipped(), tarred(), *(pickle.dumps(Payload(), p) for p in (2, 3, 4, 5))])
def test_a_pickle_under_any_name_is_refused_and_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str, content: bytes
) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="is a pickle"):
        check_content(path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("suffix", [".safetensors", ".onnx", ".gguf"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"version https://git-lfs.github.com/spec/v1\n",  # a checkout without LFS
        b"<!doctype html>",  # a proxy's page
        pickle.dumps(Payload(), 0),  # text: no mark of its own
    ],
)
def test_what_is_no_weights_at_all_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="does not start like"):
        check_content(path)


def test_onnx_and_gguf_pass(tmp_path: Path) -> None:
    onnx.save(helper.make_model(helper.make_graph([], "empty", [], [])), str(tmp_path / "model.onnx"))
    check_content(tmp_path / "model.onnx")
    (tmp_path / "model.gguf").write_bytes(b"GGUF\x03\0\0\0")
    check_content(tmp_path / "model.gguf")


# Headers of every length: some begin with the bytes that a pickle begins with (640 is 80 02).
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=1500))
def test_every_safetensors_file_passes(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.safetensors"
    save_file({name: np.zeros(3, np.float32)}, path)
    check_content(path)


def test_a_header_whose_length_reads_like_a_pickle_passes(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"w" * 580: np.zeros(3, np.float32)}, path)
    assert path.read_bytes().startswith(b"\x80\x02")
    check_content(path)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=400), suffix=st.sampled_from([".safetensors", ".onnx", ".gguf", ".json", ""])
)
def test_any_bytes_are_answered(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"any{suffix}"
    path.write_bytes(content)
    try:
        check_content(path)
    except SourceError as error:
        assert path.name in str(error)


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"Cannot read .*gone\.onnx"):
        check_content(tmp_path / "gone.onnx")
