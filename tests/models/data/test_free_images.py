"""The index of free images: what is usable is listed once, with its licence; what is not, is not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edge.errors import SourceError
from edge.image_types import Image
from models.commands.free_images import command
from models.data import free_images as module
from models.data.free_images import contact_sheet, free_images, free_packages
from models.data.usable import is_technical, judge
from tests.models.pictures import cut_out, deb, pictures, png, read, texture

FREE = {
    "CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "GPL-2.0-only", "GPL-2.0-or-later",
    "GPL-3.0-or-later", "MIT", "LicenseRef-public-domain",
}  # fmt: skip


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANOMALYGPT_EDGE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "training").mkdir(parents=True)
    return tmp_path / "cache"


def test_every_pinned_package_has_a_free_licence_an_upstream_and_a_hash() -> None:
    packages = free_packages()
    assert len({package.name for package in packages}) == len(packages) > 0
    for package in packages:
        assert set(re.split(" AND ", package.licence)) <= FREE, package.name
        assert package.upstream and package.bytes > 1_000_000
    assert sum(package.bytes for package in packages) < 650e6


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="this machine is no Debian")
def test_a_package_goes_through_fetch_unpack_and_index(cache: Path) -> None:
    normal_map = np.full((300, 300, 3), (250, 128, 128), np.uint8) + texture(3) // 60
    again = cv2.convertScaleAbs(texture(0), alpha=0.9)
    games = "usr/share/games"
    package = deb(
        cache / "training",
        {
            f"{games}/walls/brick01.png": png(texture(0)),
            f"{games}/walls/brick02.png": png(again),  # the same in another light
            f"{games}/walls/brick01_nm.png": png(texture(1)),  # its name says what it is
            f"{games}/walls/bumps.png": png(normal_map),  # and here its pixels do
            f"{games}/menu/button.png": png(texture(2)),  # the list leaves this folder out
            f"{games}/walls/small.png": png(texture(4, side=120)),
            f"{games}/walls/broken.png": b"no picture",
            f"{games}/stamps/wheel.png": png(cut_out()),
            f"{games}/stamps/wheel.txt": b"A wheel.\nUne roue.\n",
        },
    )
    images = free_images([package])
    assert [(i.kind, i.words) for i in images] == [("object", "a wheel"), ("surface", "walls brick")]
    assert {i.licence for i in images} == {"CC0-1.0"}
    assert images[0].key == f"edge-textures/{games}/stamps/wheel.png"
    images[0].path.write_bytes(b"")
    assert free_images([package]) == images  # the second time it reads the index


STRIPES = np.tile(np.array([[0] * 20, [255] * 20], np.uint8), (10, 1))


@pytest.mark.parametrize(
    ("picture", "kind"),
    [
        (texture(), "surface"),
        (texture()[..., 0], "surface"),  # grey
        (cv2.merge([texture(), np.full((300, 300), 255, np.uint8)]), "surface"),  # alpha that hides nothing
        (cut_out(), "object"),
        (texture(side=200), None),  # too small
        (np.full((300, 300, 3), 128, np.uint8), None),  # nothing to see
        (
            np.tile(np.array([[0] * 20, [255] * 20], np.uint8).repeat(15, 0).repeat(15, 1), (10, 1)),
            None,
        ),  # a drawing
        (cv2.merge([texture(), np.full((300, 300), 120, np.uint8)]), None),  # glass
        (cut_out(side=100), None),  # too small
        (np.zeros((300, 300, 4), np.uint8), None),  # nothing there at all
        (texture().astype(np.uint16), None),  # a height map's depth
    ],
)
def test_pictures_are_judged_by_their_pixels(picture: Image, kind: str | None) -> None:
    usable = judge(picture)
    assert (usable and usable.kind) == kind


def test_names_of_renderers_data_are_known() -> None:
    assert all(map(is_technical, ("wall_nm", "Wall_Normal", "metal_spec", "menu_icon", "heightmap3")))
    assert not any(map(is_technical, ("wall", "stone_wall_02", "brown", "nm_wall")))


def test_a_list_that_cannot_be_read_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "list.yaml"
    file.write_text("packages:\n- name: only\n")
    with pytest.raises(SourceError, match=r"list\.yaml"):
        free_packages(file)


def test_a_contact_sheet_shows_surfaces_and_objects(tmp_path: Path) -> None:
    sheet = contact_sheet(pictures(tmp_path, 2, 1), columns=3, rows=1, tile_px=40)
    assert sheet.shape == (40, 120, 3)
    assert (sheet[0, 82] == (255, 0, 255)).all()  # what a cut-out leaves out


@pytest.mark.usefixtures("cache")
def test_the_command_says_what_there_is_or_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    result = CliRunner().invoke(command)
    assert result.exit_code == 1 and "no apt-get" in result.output and "Traceback" not in result.output
    monkeypatch.setattr(module, "free_packages", list)
    result = CliRunner().invoke(command, ["--out", str(tmp_path / "sheet.png")])
    assert result.exit_code == 0 and "0 images" in result.output
    assert read(tmp_path / "sheet.png").ndim == 3
