"""docs/extending.md is true: each addition is made in a copy of the source as the page has it, and works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
SECTIONS = {section.splitlines()[0]: section for section in PAGE.split("\n## ")[1:]}
FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The source without what is generated; the weights are looked at where they are."""
    for package in ("edge", "build_engines", "models", "configs"):
        ignored = shutil.ignore_patterns("__pycache__", "weights")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    (tmp_path / "models" / "weights").symlink_to(ROOT / "models" / "weights")
    for name in ("setup.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def change(root: Path, diff: str) -> set[str]:
    """Makes the changes of a diff without line numbers: what each replaces is in its file just once."""
    changed = set()
    for part in re.split(r"^--- a/.*\n", diff, flags=re.MULTILINE)[1:]:
        first, *hunks = re.split(r"^@@ @@\n", part, flags=re.MULTILINE)
        name = first.removeprefix("+++ b/").strip()
        text = (root / name).read_text(encoding="utf-8")
        for hunk in hunks:
            lines = hunk.splitlines(keepends=True)
            old = "".join(line[1:] for line in lines if line.startswith("-"))
            new = "".join(line[1:] for line in lines if line.startswith("+"))
            assert text.count(old) == 1, f"{name}: {old}"
            text = text.replace(old, new)
        (root / name).write_text(text, encoding="utf-8")
        changed.add(name)
    return changed


def test_there_is_one_for_each_that_is_asked_for() -> None:
    words = ("command", "camera", "encoder family", "protocol", "view")
    assert len(SECTIONS) == len(words)
    assert all(word in title for word, title in zip(words, SECTIONS, strict=True))


@pytest.mark.parametrize("title", SECTIONS)
def test_the_addition_works_as_the_page_has_it(title: str, copy: Path) -> None:
    ran = 0
    for language, name, body in FENCE.findall(SECTIONS[title]):
        if name:
            assert not (copy / name).exists(), f"{name} is not new"
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_text(body, encoding="utf-8")
        elif language == "diff":
            assert change(copy, body)
        else:
            assert language == "console"
            for lines in body.removeprefix("$ ").split("\n$ "):
                command, *expected = lines.rstrip("\n").split("\n")
                env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
                env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
                done = subprocess.run(
                    ["bash", "-c", command], cwd=copy, env=env, capture_output=True, text=True, check=False
                )
                assert done.returncode == 0, done.stderr
                for line in expected:
                    assert line in done.stdout
                ran += 1
    assert ran
