"""What builds bundles is found in a checkout and in a wheel, and what it lacks is said in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edge import tools
from edge.errors import EdgeError
from edge.paths import checkout


def test_in_a_checkout_they_are_its_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root = checkout()
    assert root is not None and tools.folder() == root
    monkeypatch.chdir(root)
    assert tools.command_line("build_engines", "build", "x") == "python -m build_engines build x"
    monkeypatch.chdir(tmp_path)
    assert tools.command_line("build_engines", "build", "x") == "python -m edge.tools build_engines build x"


def test_an_extra_that_is_missing_is_named_with_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    tools.require("build,demo", "This")
    monkeypatch.setattr(tools, "_packages_of", lambda extra: [f"no-package-of-{extra}"])
    with pytest.raises(EdgeError) as caught:
        tools.require("build,demo", "Building")
    assert str(caught.value) == (
        "Building needs no-package-of-build, no-package-of-demo: not installed. "
        "Install it: pip install 'anomalygpt-edge[build,demo]'"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no_program"], "There is no program 'no_program'"),
        (["build_engines", "build", "no-preset"], "There is no preset 'no-preset'"),
    ],
)
def test_what_is_not_there_is_one_line(words: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edge.tools", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and said in done.stderr and done.stderr.count("\n") == 1


def test_its_help_names_the_programs_and_where_the_examples_are() -> None:
    done = subprocess.run([sys.executable, "-m", "edge.tools"], capture_output=True, text=True, check=True)
    assert "build_engines.language.llama_wheel" in done.stdout
    assert (Path(done.stdout.splitlines()[-1].partition(": ")[2]) / "stations").is_dir()
