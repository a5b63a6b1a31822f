"""Where things live can be told, and has a sensible place where nobody tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge import paths


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (paths.DATA_VARIABLE, paths.CACHE_VARIABLE, "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_the_station_files_data_dir_comes_before_the_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(paths.DATA_VARIABLE, str(tmp_path / "variable"))
    assert paths.data_dir(tmp_path / "file") == tmp_path / "file"
    assert paths.data_dir() == tmp_path / "variable"


def test_without_file_and_variable_data_lives_in_the_users_data_folder(tmp_path: Path) -> None:
    assert paths.data_dir() == tmp_path / "home/.local/share/anomalygpt-edge"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(paths.DATA_VARIABLE, "")
    assert paths.data_dir() == tmp_path / "home/.local/share/anomalygpt-edge"


def test_the_cache_is_the_variables_folder_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(paths.CACHE_VARIABLE, "~/cache")
    assert paths.cache_dir() == tmp_path / "home/cache"


def test_a_checkout_keeps_its_cache_to_itself() -> None:
    root = Path(paths.__file__).parent.parent
    assert paths.checkout() == root
    assert paths.cache_dir() == root / ".cache"


def test_an_installed_package_uses_the_users_cache_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(paths, "__file__", str(tmp_path / "site-packages/edge/paths.py"))
    assert paths.checkout() is None
    assert paths.cache_dir() == tmp_path / "home/.cache/anomalygpt-edge"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("images", "/base/images"),
        ("../images", "/images"),
        ("/elsewhere/images", "/elsewhere/images"),  # absolute paths stay
        ("./a/./b", "/base/a/b"),
    ],
)
def test_relative_paths_are_seen_from_their_base(given: str, expected: str) -> None:
    assert paths.absolute(Path(given), Path("/base")) == Path(expected)


def test_nothing_is_created_by_asking(tmp_path: Path) -> None:
    paths.data_dir(), paths.cache_dir()
    assert not (tmp_path / "home").exists()
