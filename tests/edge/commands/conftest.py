"""The command line in this process, on an enrolled product."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.bundle import Bundle
from edge.cli import main
from tests.edge.station.conftest import enrolled, make_speaking_station, make_station, speaking_enrolled

__all__ = ["enrolled", "make_speaking_station", "make_station", "speaking_enrolled"]


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command of ``anomalygpt-edge``."""

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        written = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, written.out, written.err)

    return run


@pytest.fixture
def no_llama_cpp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every language worker finds an environment without llama.cpp."""
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "llama_cpp.py").write_text("raise ImportError('no llama.cpp here')")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "path"), *sys.path])


@pytest.fixture
def on_plate(tmp_path: Path, enrolled: Path, tiny_bundle: Bundle) -> list[object]:
    """Options of ``inspect``: a data folder with the product ``plate`` and a bundle whose score decides."""
    shutil.copytree(enrolled, tmp_path / "data")
    at = ["--product", "plate", "--data-dir", tmp_path / "data", "--bundle", tiny_bundle.path]
    return [*at, "--decided-by", "calibration"]


@pytest.fixture
def on_speaking_plate(tmp_path: Path, speaking_enrolled: Path, speaking_bundle: Bundle) -> list[object]:
    """The same with a bundle whose language model decides."""
    shutil.copytree(speaking_enrolled, tmp_path / "data")
    return ["--product", "plate", "--data-dir", tmp_path / "data", "--bundle", speaking_bundle.path]
