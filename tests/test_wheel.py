"""The wheel, built and installed into an environment of its own and used from an empty folder.

What it needs lies below it: the packages of the environment that runs the tests, all or all but some.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Collection
from pathlib import Path

import cv2
import pytest

from edge.bundle import DEFAULT_BUNDLE, Bundle
from edge.paths import CACHE_VARIABLE, DATA_VARIABLE, cache_dir

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "first-parts.ipynb"
BUILT_FROM = ("edge", "build_engines", "models", "configs", "setup.py", "pyproject.toml", "README.md")


class Installed:
    """An environment with the wheel, and an empty folder to be in."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.here, self._packages = folder / "empty", folder / "packages"
        self.here.mkdir()
        self._environment = folder / "venv"
        venv.create(self._environment, symlinks=True)
        (self.site,) = self._environment.glob("lib/python*/site-packages")
        self.own = {path.name for path in self.site.iterdir()}
        target = ["--python", str(self._environment / "bin" / "python"), "install", "--quiet", "--no-deps"]
        subprocess.run([sys.executable, "-m", "pip", *target, str(wheel)], check=True)
        self.own = {path.name for path in self.site.iterdir()} - self.own

    def see(self, *, without: Collection[str] = ()) -> None:
        """Put below it what this environment has: all but this project and packages of these beginnings."""
        shutil.rmtree(self._packages, ignore_errors=True)
        self._packages.mkdir()
        left_out = ("anomalygpt_edge", "__editable__", *without)
        for site in (Path(path) for path in sys.path if any(Path(path).glob("*.dist-info"))):
            for entry in site.iterdir():
                link = self._packages / entry.name
                if not entry.name.startswith(left_out) and entry.suffix != ".pth" and not link.exists():
                    link.symlink_to(entry)
        (self.site / "below.pth").write_text(f"{self._packages}\n")

    @property
    def home(self) -> Path:
        """Where its programs keep what they keep."""
        return self.here.parent / "home"

    def have(self, bundle: Bundle) -> None:
        """Let its programs find this bundle as the default one, and what is proved of this machine."""
        (self.home / "cache" / "bundles").mkdir(parents=True)
        (self.home / "cache" / "bundles" / DEFAULT_BUNDLE).symlink_to(bundle.path)
        if (cache_dir() / "kernels").is_dir():
            (self.home / "cache" / "kernels").symlink_to(cache_dir() / "kernels")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One of its programs, in the empty folder, with nothing of this checkout around."""
        home = self.home
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        env |= {"HOME": str(home), CACHE_VARIABLE: str(home / "cache"), DATA_VARIABLE: str(home / "data")}
        program, *arguments = words
        return subprocess.run(
            [str(self._environment / "bin" / program), *arguments],
            cwd=self.here,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "source").mkdir()
    for name in BUILT_FROM:
        source, target = ROOT / name, folder / "source" / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(folder / "source")], check=True)
    (wheel,) = folder.glob("*.whl")
    return Installed(folder, wheel)


def test_nothing_but_edge_is_at_the_top_of_site_packages(installed: Installed) -> None:
    assert {name for name in installed.own if not name.endswith(".dist-info")} == {"edge"}


@pytest.mark.parametrize("folder", ["edge", "build_engines", "models", "configs"])
def test_it_holds_every_file_that_the_checkout_has(installed: Installed, folder: str) -> None:
    def files(top: Path) -> set[str]:
        found = {path for path in (top / folder).rglob("*") if path.is_file()}
        return {str(path.relative_to(top)) for path in found if path.suffix not in (".pyc", ".in")}

    sources = files(ROOT)  # beside those for `make lock`
    assert len(sources) > 5
    assert (
        sources - files(installed.site if folder == "edge" else installed.site / "edge" / "_tools") == set()
    )


def test_its_commands_explain_themselves(installed: Installed) -> None:
    installed.see()
    for words in (["--help"], ["demo", "--help"]):
        done = installed.run("anomalygpt-edge", *words)
        assert (done.returncode, done.stderr) == (0, ""), words
    done = installed.run("anomalygpt-edge", "doctor")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "Build it: python -m edge.tools build_engines build dinov2-s" in done.stdout


def test_the_remedy_that_it_names_is_there(installed: Installed) -> None:
    installed.see()
    done = installed.run("python", "-m", "edge.tools", "build_engines", "--help")
    assert done.returncode == 0, done.stderr
    assert "Presets: clip-vit-b16, clip-vit-b32, clip-vit-l14-336, dinov2-b, dinov2-s" in done.stdout
    done = installed.run("python", "-m", "edge.tools", "build_engines.language.llama_wheel", "--help")
    assert done.returncode == 0, done.stderr


def test_a_package_of_the_users_with_such_a_name_is_in_nobodys_way(installed: Installed) -> None:
    installed.see()
    (installed.here / "models").mkdir()
    (installed.here / "models" / "__init__.py").write_text("raise SystemExit('the models of somebody')")
    try:
        done = installed.run("python", "-m", "edge.tools", "build_engines", "export", "--help")
        assert (done.returncode, done.stderr) == (0, "")
        done = installed.run("python", "-c", "import models")
        assert "the models of somebody" in done.stderr
    finally:
        shutil.rmtree(installed.here / "models")


def test_without_the_extras_every_way_to_a_bundle_names_them(installed: Installed) -> None:
    installed.see(without=("onnx", "nncf", "iotcore"))
    done = installed.run("anomalygpt-edge", "demo", "--parts", "5")
    assert done.returncode == 1
    assert "needs onnx, onnxruntime, nncf, iotcore: not installed" in done.stderr
    assert "pip install 'anomalygpt-edge[build,demo]'" in done.stderr
    done = installed.run("python", "-m", "edge.tools", "build_engines", "build", "dinov2-s")
    assert done.returncode == 1
    assert (
        "needs onnx, which is not installed. Install it: pip install 'anomalygpt-edge[build]'" in done.stderr
    )
    assert done.stderr.count("\n") == 1


def test_a_newcomers_lines_run_in_an_empty_folder(installed: Installed, speaking_bundle: Bundle) -> None:
    installed.see()
    installed.have(speaking_bundle)
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    shown = "judged\n"  # as the last line of a cell: a notebook calls what this calls
    program = "\n".join("".join(cell["source"]) for cell in cells).replace(
        f"\n{shown}", "\nopen('shown.png', 'wb').write(judged._repr_png_())\n"
    )
    done = installed.run("python", "-c", program)
    assert done.returncode == 0, done.stderr
    first, sentence, where, how_large, last = done.stdout.splitlines()
    assert first.split()[0] in ("ok", "ng") and all((sentence, where, how_large))
    assert last.startswith("five good parts: ")
    picture = cv2.imread(str(installed.here / "shown.png"))
    assert picture is not None and picture.shape[0] > picture.shape[1] * 480 / 640, "a strip below the image"
