"""Files that a page of the documentation names are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


def test_the_jetson_page_names_files_that_are_there() -> None:
    page = (ROOT / "docs" / "jetson.md").read_text()
    named = set(re.findall(r"(?:requirements|docker)/[\w.-]*\w", page))
    assert {"requirements/jetpack-6.txt", "requirements/jetpack-7.txt", "docker/jetson.Dockerfile"} == named
    assert all((ROOT / name).is_file() for name in named)
