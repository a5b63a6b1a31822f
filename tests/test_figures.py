"""Every measured figure in the pages stands in a file that says how it was measured."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path

import pytest

from tests.docs import PAGES
from tests.figures import FOLDER, ROOT, TABLES

FILES = sorted(FOLDER.glob("*.json"))
BLOCK = re.compile(r"<!-- begin: ([\w-]+) -->\n.*?<!-- end -->", re.DOTALL)

# Tables of figures that no JSON of ours is behind, and what is.
BY_HAND = {
    "docs/cameras.md": "what a camera test printed: tests/edge/cameras",
    "docs/jetson.md": "what `python -m build_engines budget` computes",
    "docs/precisions.md": "what `verify --layers` and `verify --images` print",
    "docs/reliability.md": "limits that tests hold, and what `python -m tests.reliability` prints",
    "docs/setup.md": "what set-up prints of its steps",
    "docs/station.md": "what `doctor` and bench print on one machine, variant by variant",
}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_says_what_was_measured_where_and_how(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    about = json.loads(text)["about"]
    assert re.fullmatch(r"[\w-]+-[0-9a-f]{8}", about["bundle"])
    assert re.match(r"(anomalygpt-edge|python -m (build_engines|models)) \w", about["command"])
    assert f"--json {file.name}" in about["command"], "the command makes this very file"
    assert datetime.date.fromisoformat(about["date"]) <= datetime.date.today()
    assert {"cpu", "cpus", "instructions", "system", "python", "openvino"} == about["machine"].keys()
    assert not re.search(r'[" ]/\w', text), "a path of the machine"


def test_every_file_is_shown_and_every_table_has_its_place() -> None:
    named = {name for page in PAGES for name in BLOCK.findall(page.read_text(encoding="utf-8"))}
    assert {*TABLES} <= named


def figures_in(line: str) -> int:
    """The cells of a table's row that are a measured number and no more."""
    number = re.compile(r"[−-]?[\d,]*\.?\d+( ms| %)?")
    return sum(bool(number.fullmatch(cell.strip(" *"))) for cell in line.split("|"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_table_of_figures_was_typed(page: Path) -> None:
    typed = BLOCK.sub("", page.read_text(encoding="utf-8"))
    found = [line for line in typed.splitlines() if line.startswith("|") and figures_in(line) >= 2]
    if str(page.relative_to(ROOT)) in BY_HAND:
        return
    assert not found
