"""Packages of images: what apt serves or somebody brought is checked, and only images are kept of it."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from edge.errors import SourceError
from models.data.debian import DebianPackage
from tests.models.pictures import deb, png, repository, texture, zipped

needs_debian = pytest.mark.skipif(
    not (shutil.which("apt-get") and shutil.which("dpkg-deb")), reason="this machine is no Debian"
)
pytestmark = needs_debian


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANOMALYGPT_EDGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def debs(tmp_path: Path) -> Path:
    folder = tmp_path / "debs"
    folder.mkdir()
    return folder


def published(tmp_path: Path, debs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a real apt serve the .debs of the folder."""
    monkeypatch.setenv("APT_CONFIG", str(repository(tmp_path / "apt", debs)))


def kept(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def leftovers(cache: Path) -> list[Path]:
    return list(cache.rglob(".fetch-*"))


def test_images_captions_and_the_licence_are_kept_also_from_archives(
    tmp_path: Path, debs: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = zipped({"textures/b.png": png(texture(1)), "maps/m.bsp": b"x", "../evil.png": b"x"}, debs / "z")
    package = deb(
        debs,
        {
            "usr/share/games/t/a.png": png(texture(0)),
            "usr/share/games/t/a.txt": b"A wall.\nUne paroi.\n",
            "usr/share/games/t/readme.txt": b"no caption",
            "usr/share/games/t/a.ogg": b"sound",
            "usr/share/games/t/pak0.pk3": archive,
        },
    )
    published(tmp_path, debs, monkeypatch)
    sizes: list[int] = []
    folder = package.fetch(sizes.append)
    assert folder == cache / "training" / "edge-textures_1.0"
    games = "usr/share/games/t"
    assert kept(folder) == ["copyright", f"{games}/a.png", f"{games}/a.txt", f"{games}/pak0/textures/b.png"]
    assert leftovers(cache) == [] and not list(tmp_path.rglob("evil.png"))


def test_the_second_time_needs_no_apt(tmp_path: Path, debs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = deb(debs, {"usr/a.png": png(texture())})
    published(tmp_path, debs, monkeypatch)
    folder = package.fetch()
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert package.fetch() == folder


def test_a_deb_brought_on_a_stick_is_used(debs: Path, cache: Path) -> None:
    package = deb(debs, {"usr/a.png": png(texture())})
    (cache / "training").mkdir(parents=True)
    (debs / package.filename).rename(cache / "training" / package.filename)
    assert kept(package.fetch()) == ["copyright", "usr/a.png"]


def test_another_file_than_the_pinned_one_is_refused_and_not_kept(
    tmp_path: Path, debs: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = deb(debs, {"usr/a.png": png(texture())}).model_copy(update={"sha256": "0" * 64})
    published(tmp_path, debs, monkeypatch)
    with pytest.raises(SourceError, match="expected 0000"):
        package.fetch()
    assert kept(cache) == [] and leftovers(cache) == []


def test_a_package_without_a_licence_is_refused(
    tmp_path: Path, debs: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = deb(debs, {"usr/a.png": png(texture())}, licence=False)
    published(tmp_path, debs, monkeypatch)
    with pytest.raises(SourceError, match="states no licence"):
        package.fetch()
    assert kept(cache) == []


def test_a_version_that_is_gone_gives_way_to_the_served_one_with_a_warning(
    tmp_path: Path, debs: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    package = deb(debs, {"usr/old.png": png(texture())})
    (debs / package.filename).unlink()
    deb(debs, {"usr/new.png": png(texture())}, version="1:1.1")
    published(tmp_path, debs, monkeypatch)
    with caplog.at_level(logging.WARNING):
        folder = package.fetch()
    assert folder == cache / "training" / "edge-textures_1%3a1.1"
    assert kept(folder) == ["copyright", "usr/new.png"]
    assert "1:1.1 only, not the pinned 1.0" in caplog.text
    caplog.clear()
    assert package.fetch() == folder and not caplog.records


def test_what_apt_does_not_know_says_what_to_bring_and_where_to_put_it(
    tmp_path: Path, debs: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(tmp_path, debs, monkeypatch)
    with pytest.raises(SourceError, match="not know a package edge-textures") as caught:
        PACKAGE.fetch()
    assert PACKAGE.filename in caught.value.remedy and str(cache / "training") in caught.value.remedy


def test_a_machine_without_apt_is_told_so(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(SourceError, match="no apt-get") as caught:
        PACKAGE.fetch()
    assert PACKAGE.sha256 in caught.value.remedy
    assert leftovers(cache) == []


def test_a_damaged_deb_is_one_clear_error(debs: Path, cache: Path) -> None:
    package = deb(debs, {"usr/a.png": png(texture())})
    (cache / "training").mkdir(parents=True)
    (cache / "training" / package.filename).write_bytes(b"not a package")
    with pytest.raises(SourceError, match="sha256"):
        package.fetch()


PACKAGE = DebianPackage(
    name="edge-textures", version="1.0", sha256="0" * 64, bytes=1, licence="CC0-1.0", upstream="the tests"
)
