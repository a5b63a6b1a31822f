"""The GGUF that prompts are trained on is one exact file, made the same way each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from build_engines.language import gguf
from build_engines.presets import Quantization
from edge.errors import LanguageError, SourceError
from edge.fetch import sha256_of
from edge.language.library import load


@pytest.fixture(scope="module")
def source() -> Path:
    try:
        load()
        return gguf.SMOLLM2.fetch()
    except (LanguageError, SourceError) as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("quantization", ["Q4_0", "Q8_0"])
def test_requantizing_gives_the_pinned_file(source: Path, tmp_path: Path, quantization: Quantization) -> None:
    target = tmp_path / "model.gguf"
    gguf.requantize(source, target, quantization)
    assert sha256_of(target) == gguf.REQUANTIZED[quantization]
    assert [path.name for path in tmp_path.iterdir()] == ["model.gguf"]


def test_a_file_that_is_no_gguf_is_refused_and_leaves_nothing(source: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(source.read_bytes()[:10_000])
    target = tmp_path / "out" / "model.gguf"
    with pytest.raises(SourceError, match=r"cannot requantize broken\.gguf"):
        gguf.requantize(broken, target, "Q4_0")
    assert not list(target.parent.iterdir())


def test_another_result_than_the_pinned_one_is_refused(
    source: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(gguf, "cache_dir", lambda: tmp_path)
    monkeypatch.setattr(type(gguf.SMOLLM2), "fetch", lambda _: source)
    monkeypatch.setitem(gguf.REQUANTIZED, "Q4_0", "0" * 64)
    with pytest.raises(SourceError, match="expected 0000"):
        gguf.fetch_smollm2("Q4_0")
    assert not list((tmp_path / "sources").glob("*.gguf"))
