"""On a Jetson, ``doctor`` tells JetPack's OpenCV and TensorRT from pip's; elsewhere it is silent."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from edge.station import doctor, jetson
from edge.station.check_result import CheckStatus

ROOT = Path(__file__).parents[3]
RELEASE = "# R36 (release), REVISION: 4.0, GCID: 37537400, BOARD: generic, EABI: aarch64, DATE: Fri Sep 13\n"
REQUIREMENTS = [ROOT / "requirements" / name for name in ("jetson.txt", "jetpack-6.txt", "jetpack-7.txt")]


def board(folder: Path, release: str = RELEASE, *parts: str) -> Path:
    """A Jetson's root with what is asked for and JetPack's ``parts``."""
    (folder / "etc").mkdir()
    for part in parts:
        (folder / "usr/lib/python3.10/dist-packages" / part).mkdir(parents=True)
    (folder / "etc" / "nv_tegra_release").write_text(release)
    return folder


def imported_from(monkeypatch: pytest.MonkeyPatch, **origins: str | None) -> None:
    def found(name: str) -> ModuleSpec | None:
        origin = origins[name]
        return None if origin is None else ModuleSpec(name, None, origin=origin)

    monkeypatch.setattr(importlib.util, "find_spec", found)


def test_elsewhere_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert list(jetson.look(tmp_path)) == []


def test_jetpacks_own_are_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = "/usr/lib/python3.10/dist-packages"
    imported_from(monkeypatch, cv2=f"{system}/cv2/__init__.py", tensorrt=f"{system}/tensorrt/__init__.py")
    release, opencv, tensorrt = jetson.look(board(tmp_path))
    assert release.detail == "Jetson Linux 36.4.0, JetPack 6"
    assert (release.mark, opencv.mark, tensorrt.mark) == (CheckStatus.OK,) * 3
    assert system in opencv.detail and system in tensorrt.detail


def test_pips_in_their_place_are_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = f"{sys.prefix}/lib/python3.10/site-packages"
    imported_from(monkeypatch, cv2=f"{inside}/cv2/__init__.py", tensorrt=None)
    _, opencv, tensorrt = jetson.look(board(tmp_path, RELEASE, "cv2"))
    assert opencv.mark is CheckStatus.WRONG and "stands in the place of JetPack's" in opencv.detail
    assert "pip uninstall opencv-python-headless" in opencv.remedy
    assert tensorrt.mark is CheckStatus.WRONG and "--system-site-packages" in tensorrt.remedy


def test_pips_are_right_where_jetpacks_are_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container whose base image has no OpenCV."""
    inside = f"{sys.prefix}/lib/python3.10/site-packages"
    imported_from(monkeypatch, cv2=f"{inside}/cv2/__init__.py", tensorrt=None)
    _, opencv, _ = jetson.look(board(tmp_path))
    assert opencv.mark is CheckStatus.OK and "JetPack's is not installed" in opencv.detail


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# R38 (release), REVISION: 2.0, GCID: 1", "Jetson Linux 38.2.0, JetPack 7"),
        ("# R32 (release), REVISION: 7.1, GCID: 1", "not known here"),
        ("nonsense", "an unknown release: nonsense"),
    ],
)
def test_releases_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str) -> None:
    imported_from(monkeypatch, cv2=None, tensorrt=None)
    assert words in next(iter(jetson.look(board(tmp_path, text)))).detail


def test_nobody_is_told_to_install_pips_opencv_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--force-reinstall opencv-python-headless" in doctor._package_remedy(
        "cv2", "opencv-python-headless"
    )
    monkeypatch.setattr(jetson, "is_jetson", lambda: True)
    remedy = doctor._package_remedy("cv2", "opencv-python-headless")
    assert "JetPack" in remedy and "numpy<2" in remedy and "opencv-python-headless" not in remedy


def named(lines: list[str]) -> dict[str, str]:
    """Distribution to what follows its name."""
    pairs = (re.match(r"([A-Za-z0-9-]+)(.*)", line) for line in lines if line and line[0] not in "#-")
    return {pair[1].lower(): pair[2] for pair in pairs if pair}


def test_the_requirements_are_the_packages_own_without_what_jetpack_brings() -> None:
    tree = ast.parse((ROOT / "setup.py").read_text())
    wanted = next(
        ast.literal_eval(keyword.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "install_requires"
    )
    expected = named(wanted)
    del expected["opencv-python-headless"]
    expected["numpy"] += ",<2"  # JetPack's OpenCV was compiled against NumPy 1.
    expected["onnx"] = ">=1.16"  # What `compile` needs.
    expected |= {"pip": "", "setuptools": ">=68"}  # What installs.
    common, *jetpacks = (named(file.read_text().splitlines()) for file in REQUIREMENTS)
    assert common == expected
    for own in jetpacks:
        assert len(own) == 1 and next(iter(own)).startswith("cuda-"), "CUDA's bindings and nothing else"
