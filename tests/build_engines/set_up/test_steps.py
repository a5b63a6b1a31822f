"""What ``make`` sets up: lean, from hashed pins, and not at all where llama.cpp cannot be compiled."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from build_engines.set_up.plan import SetUpPlan
from build_engines.set_up.steps import TARGETS, Target, locked, steps
from edge.errors import SourceError
from edge.paths import CACHE_VARIABLE
from tests.test_packaging import ROOT, pins

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.parametrize("target", TARGETS)
def test_every_package_comes_from_the_targets_hashed_pins(target: Target) -> None:
    packages = next(step for step in steps(target, language=True) if step.name == "packages")
    first, ourselves = packages.commands
    assert "--require-hashes" in first and "--no-deps" in first
    assert first[-1] == str(locked(target)) and (ROOT / locked(target)).is_file()
    assert "--no-build-isolation" in ourselves and ourselves[-2:] == ("--editable", ".")


def test_the_demo_brings_neither_what_tests_nor_what_trains() -> None:
    names = {target: set(pins(ROOT / locked(target), PYTHON)) for target in TARGETS}
    assert names["demo"].isdisjoint({"pytest", "mypy", "ruff", "hypothesis", "torch"})
    assert names["demo"] < names["test"] < names["train"]
    assert "torch" not in names["test"]


@pytest.mark.parametrize("target", TARGETS)
def test_without_the_language_half_nothing_of_llama_is_made(target: Target) -> None:
    names = [step.name for step in steps(target, language=False)]
    assert not {"compiler", "llama"} & set(names)
    bundle = steps(target, language=False)[-1]
    assert bundle.name == "bundle" and "--without-language" in bundle.commands[0]
    assert {"compiler", "llama"} < {step.name for step in steps(target, language=True)}


@pytest.mark.parametrize("target", TARGETS)
def test_only_what_needs_llama_waits_for_the_compiler(target: Target, tmp_path: Path) -> None:
    """The graph is written and measured, and everything is downloaded, while it compiles."""
    all_steps = steps(target, language=True)
    SetUpPlan(all_steps, ROOT, tmp_path)  # Each stands behind those that it waits for.
    held = {"compiler"}
    for step in all_steps:
        if held & set(step.after):
            held.add(step.name)
    assert held == {"compiler", "llama", "bundle"}


def test_a_compiler_that_is_missing_stops_the_set_up_and_says_how_to_go_on(tmp_path: Path) -> None:
    compiler = next(step for step in steps("demo", language=True) if step.name == "compiler")
    environment = {**os.environ, "CXX": "/nonexistent/g++", CACHE_VARIABLE: str(tmp_path / "cache")}
    with pytest.raises(SourceError) as caught:
        SetUpPlan([compiler], ROOT, tmp_path / "logs", environment).run(lambda: None)
    assert "no C++ compiler '/nonexistent/g++'" in caught.value.message
    assert "apt install g++" in caught.value.message
    assert "make demo LANGUAGE=no" in caught.value.remedy


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(["demo"], "set_up demo  --since"), (["demo", "LANGUAGE=no"], "set_up demo --without-language --since")],
)
def test_make_does_not_go_on_by_itself(arguments: list[str], expected: str) -> None:
    """A failed command ends it: none is told to be ignored. The language half is left out when asked to."""
    told = subprocess.run(
        ["make", "--dry-run", "VENV=/nonexistent/venv", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert expected in told
    recipes = [line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("\t")]
    assert [line for line in recipes if line.lstrip("\t@").startswith("-")] == []


def test_set_up_starts_with_nothing_but_its_own_pins(tmp_path: Path) -> None:
    """``make`` calls it before the packages are there; so its imports are those of ``locked/setup.txt``."""
    for name in pins(ROOT / "requirements" / "locked" / "setup.txt", PYTHON):
        for file in metadata.files(name) or ():
            top = Path(file.parts[0])
            source = Path(str(metadata.distribution(name).locate_file(str(top))))
            link = tmp_path / top.name
            if ".." not in file.parts and source.exists() and not link.exists():
                link.symlink_to(source)
    code = (
        "import build_engines.set_up.__main__, build_engines.language.llama_wheel, build_engines.set_up.work"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=ROOT,
        env={"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
