"""An offline product: no command, and no library behind it, calls anybody but whom it was told to call."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from build_engines.__main__ import cli as build_cli
from edge.bundle import Bundle
from edge.cameras.aravis_library import load_library
from edge.cli import cli
from edge.errors import CameraError
from edge.messaging import EmbeddedBroker
from edge.paths import CACHE_VARIABLE, DATA_VARIABLE
from edge.telemetry import SENDERS, VARIABLES
from models.__main__ import cli as training_cli
from tests.build_engines.tiny import tiny_preset
from tests.edge.evaluation.conftest import write_plates
from tests.edge.parts import write_parts
from tests.edge.station.conftest import PRODUCT, enrolled, speaking_enrolled, station_maker
from tests.strace import Traced, trace

__all__ = ["enrolled", "speaking_enrolled"]

ROOT = Path(__file__).parents[1]
PACKAGES = ("edge", "build_engines", "models", "tests")


@dataclass(frozen=True)
class Yard:
    """A machine of one's own, told nothing: an empty home, a cache, a station and its broker on loopback."""

    folder: Path
    bundle: Bundle
    station: Path
    broker: EmbeddedBroker
    preset: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def part(self) -> Path:
        return self.folder / "parts" / "part-001.png"

    @property
    def plates(self) -> Path:
        return self.folder / "plates"

    @property
    def on_product(self) -> list[str | Path]:
        """Options that name the product, and the bundle that learned it."""
        return ["--product", PRODUCT, "--data-dir", self.data, "--bundle", self.bundle.path]

    def run(self, *words: str | Path) -> Traced:
        """Runs Python with these arguments, traced."""
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "HOME": str(self.home),
            CACHE_VARIABLE: str(self.folder / "cache"),
            DATA_VARIABLE: str(self.data),
        }
        here = self.folder / "here"
        return trace([sys.executable, *words], self.folder / "calls.txt", cwd=here, env=env)

    def quiet(self, *words: str | Path, codes: Collection[int] = (0,)) -> Traced:
        """The same, for what must end with such a code, call nobody, and leave home and folder empty."""
        for _ in range(3):
            done = self.run(*words)
            assert done.outward == []
            if "Try again." not in done.err:  # `bench` says so on a machine that is busy with something else
                break
        assert done.code in codes, done.out + done.err
        for folder in (self.home, self.folder / "here"):
            assert list(folder.rglob("*")) == []
        return done


def make_yard(folder: Path, bundle: Bundle, enrolled: Path, broker: EmbeddedBroker, **usual: object) -> Yard:
    write_parts(folder / "parts", good=1, stained=1)
    write_plates(folder / "plates")
    for name in ("home", "here"):
        (folder / name).mkdir()
    brokers = [{"host": broker.host, "port": broker.port}]
    station = station_maker(folder, enrolled, bundle, messaging={"brokers": brokers}, **usual)
    preset = tiny_preset(folder).name
    return Yard(folder, bundle, station(folder / "parts"), broker, folder / f"{preset}.yaml")


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    pytest.importorskip("iotcore", reason="the embedded broker is in the extra `demo`")
    with EmbeddedBroker() as running:
        yield running


@pytest.fixture
def yard(tmp_path: Path, tiny_bundle: Bundle, enrolled: Path, broker: EmbeddedBroker) -> Yard:
    """With a bundle that only sees."""
    return make_yard(tmp_path, tiny_bundle, enrolled, broker, verdict={"decided_by": "calibration"})


@pytest.fixture
def speaking_yard(
    tmp_path: Path, speaking_bundle: Bundle, speaking_enrolled: Path, broker: EmbeddedBroker
) -> Yard:
    """With one whose language model decides, in a process of its own."""
    usual = {"verdict": {"timeout_s": 60}, "language": {"threads": 1}}
    return make_yard(tmp_path, speaking_bundle, speaking_enrolled, broker, **usual)


Words = Callable[[Yard], Sequence[str | Path]]

SEEING: dict[str, Words] = {
    "check": lambda at: [at.station],
    "bench": lambda at: ["--bundle", at.bundle.path, "--images", at.plates / "train/good",
                         "--references", "2", "--parts", "3", "--json", at.folder / "bench.json"],
    "cameras bench": lambda at: [at.station, "--seconds", "0.2"],
    "cameras field": lambda _: ["--defect", "0.5", "--part", "80"],
    "cameras snap": lambda at: [at.station, at.folder / "snap.png"],
    "cameras tune": lambda at: [at.station, "--count", "1"],
    "certificates": lambda at: [at.folder / "pki", "--broker", "localhost", "--client", "cell-3"],
    "enroll": lambda at: ["--product", "new", "--data-dir", at.data, "--bundle", at.bundle.path, at.part],
    "evaluate": lambda at: [at.plates, "--bundle", at.bundle.path, "--shots", "1", "--limit", "4"],
    "products list": lambda _: [],
    "products show": lambda _: [PRODUCT],
    "products delete": lambda _: [PRODUCT, "--yes"],
    "records": lambda at: ["--data-dir", at.data],
    "schema": lambda _: ["--json"],
    "watch": lambda at: [at.station, "--for", "1"],
}  # fmt: skip
"""What each command is traced with, where its bundle only sees."""

SPEAKING: dict[str, Words] = {
    "ask": lambda at: [at.part, *at.on_product, "--question", "Where is it?"],
    "demo": lambda at: ["--images", at.plates, "--bundle", at.bundle.path, "--data-dir", at.folder / "demo",
                        "--parts", "2", "--rate", "4"],
    "doctor": lambda at: [at.station],
    "evaluate-dialogue": lambda at: [at.plates, "--bundle", at.bundle.path, "--shots", "1", "--parts", "2"],
    "inspect": lambda at: [*at.on_product, at.part],
    "run": lambda at: [at.station],
}  # fmt: skip
"""The same, with a language model."""

SLOW = {"demo", "evaluate-dialogue"}

REFUSING: dict[str, tuple[Words, Collection[int]]] = {
    "cameras host": (lambda _: ["--interface", "lo"], (0, 1)),  # some machines are fit for cameras
    "products undo": (lambda _: [PRODUCT], (1,)),  # it has one version only
}
"""Those that may end with another code, and with which."""

BUILDING: dict[str, tuple[Words, Collection[int]]] = {
    "fetch": (lambda at: [at.preset], (0,)),
    "export": (
        lambda at: [at.preset, "--precision", "int8", "--calibrate-on", at.plates / "train/good"],
        (0,),
    ),
    "verify": (lambda at: [at.preset, "--images", at.plates], (0, 1)),  # random weights bear int8, or not
    "build": (lambda at: [at.preset, "--images", at.plates], (0,)),
    "pack": (lambda at: [at.preset], (0,)),
    "sbom": (lambda _: ["tiny"], (0,)),
    "banks": (lambda at: ["tiny", at.plates, "--shots", "1", "--limit", "4"], (0,)),
    "compile": (lambda at: [at.bundle.path], (1,)),  # there is no GPU
    "accept": (lambda at: [at.bundle.path, "--out", at.folder / "report.md"], (1,)),
}
"""Of ``python -m build_engines``, one after the other, each with its exit codes."""

TRAINING: dict[str, Words] = {
    "preview": lambda at: [at.plates / "train/good", "--out", at.folder / "defects.png", "--columns", "1"],
}
"""Of ``python -m models``."""

NOT_TRACED = {
    "cameras list": "it searches every network for cameras: nothing else does, and it is asked to",
    "build_engines pin": "it asks the hub for a commit's hashes, which is all that it does",
    "build_engines budget": "it reads the default bundle's files, and computes nothing",
    "build_engines ablate": "it takes minutes, and loads what `evaluate` and `ask` load",
    "models free-images": "it downloads Debian's free packages: that is what it does",
    "models products": "it draws products made of these images, and downloads those that are not here",
    "models text-features": "it downloads the text encoder that it computes with",
    "models train": "it takes hours, and downloads what it trains on",
    "models agreement": "it needs torch and a trained bundle, and loads what `evaluate` loads",
}
"""The commands that are not traced, and why."""


def commands_of(group: click.Group, before: str = "") -> Iterator[str]:
    """The paths of all commands below a group."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from commands_of(found, f"{before}{name} ")
        else:
            yield before + name


def test_every_command_is_traced_or_says_why_not() -> None:
    others = {*(f"build_engines {name}" for name in BUILDING), *(f"models {name}" for name in TRAINING)}
    known = {*SEEING, *SPEAKING, *REFUSING, *others, *NOT_TRACED}
    there = {
        *commands_of(cli),
        *commands_of(build_cli, "build_engines "),
        *commands_of(training_cli, "models "),
    }
    assert known == there


@pytest.mark.parametrize("command", SEEING)
def test_a_command_calls_nobody_and_leaves_nothing_at_home(yard: Yard, command: str) -> None:
    if command == "records":
        yard.quiet("-m", "edge", "run", yard.station)
    yard.quiet("-m", "edge", *command.split(), *SEEING[command](yard))


@pytest.mark.parametrize(
    "command", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in SPEAKING]
)
def test_a_command_that_speaks_calls_nobody_and_leaves_nothing_at_home(
    speaking_yard: Yard, command: str
) -> None:
    speaking_yard.quiet("-m", "edge", command, *SPEAKING[command](speaking_yard))


@pytest.mark.parametrize("command", REFUSING)
def test_a_command_that_has_to_say_no_calls_nobody_either(yard: Yard, command: str) -> None:
    words, codes = REFUSING[command]
    yard.quiet("-m", "edge", *command.split(), *words(yard), codes=codes)


@pytest.mark.parametrize("command", TRAINING)
def test_what_shows_training_calls_nobody(yard: Yard, command: str) -> None:
    yard.quiet("-m", "models", command, *TRAINING[command](yard))


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["cameras", "--help"]])
def test_help_calls_nobody(yard: Yard, words: list[str]) -> None:
    yard.quiet("-m", "edge", *words)


@pytest.mark.slow
def test_a_simulated_camera_is_found_on_this_machine_only(yard: Yard) -> None:
    """Aravis searches every network unless it is told where its camera is."""
    try:
        load_library()
    except CameraError as error:
        pytest.skip(str(error))
    options: list[str | Path] = [
        "--images",
        yard.plates,
        "--bundle",
        yard.bundle.path,
        "--data-dir",
        yard.folder / "demo",
    ]
    yard.quiet("-m", "edge", "demo", "--camera", "gige", *options, "--parts", "2", "--rate", "4")


@pytest.mark.slow
def test_building_a_bundle_of_what_is_here_calls_nobody(yard: Yard) -> None:
    """With NNCF, ONNX and ONNX Runtime, some of which would report to their makers."""
    pytest.importorskip("nncf", reason="needs the extra `build`")
    for command, (words, codes) in BUILDING.items():
        yard.quiet("-m", "build_engines", command, *words(yard), codes=codes)


@pytest.mark.slow
def test_no_module_calls_anybody_when_it_is_imported(yard: Yard) -> None:
    """Each module that is not a test: also those that no command above reaches, as in training."""
    yard.quiet(
        "-c",
        "import importlib, pkgutil\n"
        "for package in ('edge', 'build_engines', 'models'):\n"
        "    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, package + '.'):\n"
        "        if not found.name.endswith('__main__'):\n"
        "            try: importlib.import_module(found.name)\n"
        "            except ImportError as error: print(found.name, error)  # an extra that is not here\n",
    )


@pytest.mark.parametrize("package", PACKAGES)
def test_whatever_is_imported_first_the_senders_are_off(package: str) -> None:
    """Python imports a package before any module in it: nothing of ours can pass by this."""
    told = "import os, sys; print(*(os.environ[name] for name in %r), *(sys.modules[name] for name in %r))"
    done = subprocess.run(
        [sys.executable, "-c", f"import {package}; {told % (tuple(VARIABLES), SENDERS)}"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["1"] * len(VARIABLES) + ["None"] * len(SENDERS)


def test_requests_to_the_hub_carry_no_usage_data() -> None:
    constants = pytest.importorskip("huggingface_hub.constants", reason="needs the extra `hub`")
    assert constants.HF_HUB_DISABLE_TELEMETRY is True


def test_all_our_code_lies_in_these_packages_and_none_imports_a_sender() -> None:
    # Not the environment, caches, and setuptools' copies.
    ours = [path for path in ROOT.iterdir() if path.name[0] != "." and path.name not in ("build", "dist")]
    files = [file for path in ours for file in (path.rglob("*.py") if path.is_dir() else [path])]
    for file in files:
        if file.suffix != ".py" or file.name == "setup.py":
            continue
        assert file.relative_to(ROOT).parts[0] in PACKAGES, f"{file} may import what reports"
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & set(SENDERS), file


def test_a_call_out_of_a_child_process_is_seen(yard: Yard) -> None:
    """A datagram socket that is connected to an address for documentation: nothing is sent."""
    child = "import socket; socket.socket(type=socket.SOCK_DGRAM).connect((%r, 9))"
    parent = "import subprocess, sys; subprocess.run([sys.executable, '-c', %r])"
    assert yard.run("-c", parent % (child % "127.0.0.1")).outward == []
    (call,) = yard.run("-c", parent % (child % "203.0.113.7")).outward
    assert "203.0.113.7" in call
