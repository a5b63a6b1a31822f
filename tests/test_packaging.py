"""What is installed is what is in the checkout, and what is imported is what is declared and pinned."""

from __future__ import annotations

import ast
import re
import runpy
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
import setuptools
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from setuptools import find_packages

ROOT = Path(__file__).parents[1]
ROOMS = ("edge", "build_engines", "models")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")

# Extras that a room may import from, beside what every installation has.
EXTRAS = {
    "edge": ("demo", "language", "tensorrt"),
    "build_engines": ("build", "hub", "language"),
    "models": ("build", "train"),
}
PINS = ROOT / "requirements" / "locked"
LLAMA_PINS = ROOT / "build_engines" / "language" / "locked"
LOCKED = {
    "station": (),
    "station-gpu": ("tensorrt",),
    "demo": ("build", "demo"),
    "test": ("test",),
    "train": ("test", "train"),
}
BOARDS = {"jetpack-6": "3.10", "jetpack-7": "3.12"}
ALL_PINS = sorted([*PINS.glob("*.txt"), *LLAMA_PINS.glob("*.txt")])
NAMED_OTHERWISE = {
    "cuda": "cuda-bindings",
    "cv2": "opencv-python-headless",
    "llama_cpp": "llama-cpp-python",
    "paho": "paho-mqtt",
    "pydantic_core": "pydantic",  # the half of pydantic that its own documentation imports
    "ulid": "python-ulid",
    "yaml": "pyyaml",
}
FROM_JETPACK = {"tensorrt", "pycuda"}  # pip's would be imported in the place of the board's own


@pytest.fixture(scope="module")
def packaging() -> dict[str, Any]:
    """What ``setup.py`` says."""
    said: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", said.update)
        runpy.run_path(str(ROOT / "setup.py"))
    return said


def declared(packaging: dict[str, Any], extras: tuple[str, ...]) -> list[Requirement]:
    lines = [*packaging["install_requires"], *(r for e in extras for r in packaging["extras_require"][e])]
    return [Requirement(line) for line in lines]


def imported(room: str) -> Iterator[tuple[str, Path]]:
    """Packages of others that a room imports, anywhere in it, and where."""
    for path in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            else:
                continue
            for package in {name.split(".")[0] for name in names}:
                if package not in {*sys.stdlib_module_names, *ROOMS}:
                    yield package, path.relative_to(ROOT)


def pins(file: Path, python: str, machine: str = "x86_64") -> dict[str, str]:
    """Package to version of a file of pins, for a Python on 64-bit Linux."""
    environment = {k: str(v) for k, v in default_environment().items()} | {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": machine,
        "extra": "",
    }
    found: dict[str, str] = {}
    for line in re.findall(r"^[A-Za-z][^\\\n]*", file.read_text(), re.MULTILINE):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            (only,) = requirement.specifier
            assert only.operator == "==", line
            found[canonicalize_name(requirement.name)] = only.version
    return found


@pytest.mark.parametrize("package", ROOMS)
def test_every_folder_of_modules_is_installed(package: str) -> None:
    """A folder without ``__init__.py`` works in a checkout and is missing where it is installed."""
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / package).rglob("*.py")}
    expected = {".".join(folder.parts) for folder in folders}
    assert expected == set(find_packages(str(ROOT), include=[package, f"{package}.*"]))


def test_nothing_but_edge_is_installed_under_a_name_of_its_own(packaging: dict[str, Any]) -> None:
    assert {package.split(".")[0] for package in packaging["packages"]} == {"edge"}


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_imports_is_declared(packaging: dict[str, Any], room: str) -> None:
    """Otherwise it works as long as some other package happens to bring it."""
    names = {canonicalize_name(r.name) for r in declared(packaging, EXTRAS[room])}
    undeclared = {
        f"{package} in {path}"
        for package, path in imported(room)
        if package not in FROM_JETPACK
        and canonicalize_name(NAMED_OTHERWISE.get(package, package)) not in names
    }
    assert undeclared == set()


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("target", LOCKED)
def test_what_is_declared_is_pinned_at_a_version_that_fits(
    packaging: dict[str, Any], target: str, python: str
) -> None:
    """After a change of ``setup.py`` or ``constraints.txt``: make lock."""
    pinned = pins(ROOT / "requirements" / "locked" / f"{target}.txt", python)
    for requirement in declared(packaging, LOCKED[target]):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not pinned for {target} on Python {python}"
        assert requirement.specifier.contains(version), f"{requirement} is pinned at {version}"


@pytest.mark.parametrize("python", PYTHONS[1:])
@pytest.mark.parametrize(
    "file", [file for file in ALL_PINS if "jetpack" not in file.name], ids=lambda f: f.stem
)
def test_the_hashes_are_of_the_constraints_versions(file: Path, python: str) -> None:
    constrained = pins(ROOT / "constraints.txt", python)
    pinned = pins(file, python)
    differing = {
        name: version for name, version in pinned.items() if constrained.get(name, version) != version
    }
    assert differing == {}


@pytest.mark.parametrize("file", ALL_PINS, ids=lambda file: file.stem)
def test_every_pin_has_a_hash(file: Path) -> None:
    entries = file.read_text().replace("\\\n", " ").strip().splitlines()
    assert entries
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_every_extra_is_in_some_file_of_pins(packaging: dict[str, Any]) -> None:
    """All that ``setup.py`` can pull in; llama-cpp-python's own hash stands where it is compiled."""
    everywhere = set().union(*(pins(PINS / f"{name}.txt", "3.11") for name in LOCKED))
    wanted = declared(packaging, tuple(packaging["extras_require"]))
    assert {canonicalize_name(one.name) for one in wanted} - everywhere == {"llama-cpp-python"}


@pytest.mark.parametrize("target", [*LOCKED, "setup"])
def test_what_an_installed_package_needs_is_pinned_too(target: str) -> None:
    """pip installs with ``--no-deps``: what nobody pinned would be missing."""
    pinned = pins(PINS / f"{target}.txt", PYTHON)
    missing: set[str] = set()
    looked_at = 0
    for name, version in pinned.items():
        try:
            found = distribution(name)
        except PackageNotFoundError:  # of another target
            continue
        if found.version != version:
            continue
        looked_at += 1
        for needed in map(Requirement, found.requires or ()):
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                at = pinned.get(canonicalize_name(needed.name))
                if at is None or not needed.specifier.contains(at, prereleases=True):
                    missing.add(f"{needed} of {name}")
    assert looked_at > 5
    assert missing == set()


@pytest.mark.parametrize("python", PYTHONS)
def test_what_builds_this_package_is_pinned(python: str) -> None:
    """Its editable install has no build isolation, which would fetch unpinned packages."""
    needed = re.findall(r'^requires = \["(.*)"\]$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    requirements = [Requirement(line) for line in needed[0].split('", "')]
    assert [one.name for one in requirements] == ["setuptools"]
    for pinned in (
        pins(PINS / "setup.txt", python),
        *(pins(PINS / f"{b}.txt", p) for b, p in BOARDS.items()),
    ):
        assert "pip" in pinned
        assert all(one.specifier.contains(pinned[one.name]) for one in requirements)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_what_compiles_llama_cpp_python_is_pinned(python: str, machine: str) -> None:
    """What its build requires, and what that asks for where the system has none or too old ones."""
    pinned = pins(LLAMA_PINS / "llama-build.txt", python, machine)
    assert {"scikit-build-core", "cmake", "ninja", "packaging", "pathspec"} <= set(pinned)
    assert python != "3.10" or {"tomli", "exceptiongroup", "typing-extensions"} <= set(pinned)


@pytest.mark.parametrize("python", PYTHONS)
def test_what_llama_cpp_python_needs_is_pinned(python: str, packaging: dict[str, Any]) -> None:
    """Beside what every installation has."""
    try:
        llama = distribution("llama-cpp-python")
    except PackageNotFoundError:
        pytest.skip("llama-cpp-python is not installed")
    ours = {canonicalize_name(one.name) for one in declared(packaging, ())}
    pinned = pins(LLAMA_PINS / "llama-run.txt", python)
    beside = [
        one
        for one in map(Requirement, llama.requires or ())
        if (one.marker is None or one.marker.evaluate({"extra": ""}))
        and canonicalize_name(one.name) not in {*ours, "typing-extensions"}  # pydantic brings the last one
    ]
    assert beside
    assert all(one.specifier.contains(pinned[canonicalize_name(one.name)]) for one in beside)


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("opencv", [False, True])
def test_what_a_board_needs_is_pinned_for_its_python(board: str, opencv: bool) -> None:
    pinned = pins(PINS / f"{board}{'-opencv' if opencv else ''}.txt", BOARDS[board], "aarch64")
    texts = [(ROOT / "requirements" / f"{name}.txt").read_text() for name in ("jetson", board)]
    wanted = [Requirement(line) for line in "\n".join(texts).splitlines() if line and line[0] not in "#-"]
    assert len(wanted) > 10
    for one in wanted:
        assert one.specifier.contains(pinned[canonicalize_name(one.name)]), one
    assert ("opencv-python-headless" in pinned) == opencv
