"""The wheel of llama.cpp is checked before it is installed: it is what was built, or it is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from build_engines.language import llama_wheel
from build_engines.language.llama_pins import PIP
from build_engines.language.wheel_seal import checked_url, seal_of, seal_wheel
from edge.errors import SourceError


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A copy of the real one, sealed; skips where it is not built."""
    built = llama_wheel.built_wheel()
    if built is None:
        pytest.skip("The wheel is not built: python -m build_engines.language.llama_wheel")
    copy = tmp_path / "wheels" / "llama-cpp-python" / built.name
    copy.parent.mkdir(parents=True)
    shutil.copyfile(built, copy)
    seal_wheel(copy)
    return copy


def flip_a_byte(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        old = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([old ^ 1]))


def venv_over_this_one(folder: Path) -> Path:
    """An environment of its own that sees this one's packages: its Python."""
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "below.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    return folder / "bin" / "python"


@pytest.mark.slow
def test_what_was_built_is_installed(wheel: Path, tmp_path: Path) -> None:
    python = venv_over_this_one(tmp_path / "venv")
    code = (
        "import importlib.util, pathlib, sys; from build_engines.language.llama_wheel import install\n"
        "install(pathlib.Path(sys.argv[1])); print(importlib.util.find_spec('llama_cpp').origin)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [python, "-c", code, str(wheel)], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(tmp_path / "venv")


def test_the_seal_is_what_sha256sum_reads(wheel: Path) -> None:
    command = ["sha256sum", "--check", "--strict", seal_of(wheel).name]
    assert subprocess.run(command, cwd=wheel.parent, check=False).returncode == 0
    assert checked_url(wheel).startswith("file:///")


def test_one_flipped_byte_is_refused_with_a_remedy(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flip_a_byte(wheel)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a program was called"))
    with pytest.raises(SourceError, match="has changed since it was built") as caught:
        llama_wheel.install(wheel)
    assert caught.value.remedy == f"Remove {wheel.parent}, and it is built again; or copy that folder anew."


def test_a_wheel_that_changes_after_the_check_is_refused_by_pip(wheel: Path, tmp_path: Path) -> None:
    """The hash travels with the address, so that pip checks the bytes that it unpacks."""
    address = checked_url(wheel)
    flip_a_byte(wheel)
    command = [*PIP, "install", "--no-deps", "--target", str(tmp_path / "target")]
    command += ["--require-hashes", f"{llama_wheel.PACKAGE} @ {address}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "DO NOT MATCH THE HASHES" in done.stderr
    assert not (tmp_path / "target" / "llama_cpp").exists()


@pytest.mark.parametrize("seal", [None, "", "not a hash\n"])
def test_a_wheel_without_a_seal_is_refused(wheel: Path, seal: str | None) -> None:
    seal_of(wheel).unlink()
    if seal is not None:
        seal_of(wheel).write_text(seal)
    with pytest.raises(SourceError, match=r"cannot be checked|has changed since it was built"):
        checked_url(wheel)
