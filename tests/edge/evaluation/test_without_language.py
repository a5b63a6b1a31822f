"""What measures the language model never measures the calibrated score in its place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge.bundle import Bundle

COMMANDS = {
    "evaluate": ["evaluate", "{plates}"],
    "evaluate-dialogue": ["evaluate-dialogue", "{plates}"],
    "bench": ["bench", "--parts", "1", "--references", "1"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_without_llama_cpp_it_ends_with_one_line_and_no_figure(
    name: str, speaking_bundle: Bundle, plates: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "path"
    broken.mkdir()
    (broken / "llama_cpp.py").write_text("raise ImportError('no llama.cpp here')")
    words = [word.format(plates=plates) for word in COMMANDS[name]]
    options = ["--bundle", str(speaking_bundle.path), "--json", str(tmp_path / "out.json")]
    done = subprocess.run(
        [sys.executable, "-m", "edge", *words, *options],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(broken), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: llama-cpp-python is not installed") and "make setup" in last
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out.json").exists()
