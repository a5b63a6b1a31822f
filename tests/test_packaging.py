"""What is installed is what is in the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest
from setuptools import find_packages

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("package", ["edge", "build_engines", "models"])
def test_every_folder_of_modules_is_installed(package: str) -> None:
    """A folder without ``__init__.py`` works in a checkout and is missing where it is installed."""
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / package).rglob("*.py")}
    expected = {".".join(folder.parts) for folder in folders}
    assert expected == set(find_packages(str(ROOT), include=[package, f"{package}.*"]))
