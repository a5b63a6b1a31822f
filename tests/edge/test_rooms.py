"""Who imports whom is what docs/architecture.md says, in both directions, and nobody reaches past a face."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections import defaultdict
from functools import cache

import pytest

from tests.rooms import ROOT, Import, arrows, circles, imports, imports_of, modules, packages, room_of, rooms

MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
DOORS = {"edge.__main__", "edge.cli", "build_engines.__main__", "models.__main__", "models.train"}
MEASURING = ("edge.evaluation", "edge.demo")
MEASURING_COMMANDS = {"demo", "evaluate", "evaluate_dialogue", "bench"}
STATION_COMMANDS = tuple(
    sorted({path.stem for path in (ROOT / "edge" / "commands").glob("[a-z]*.py")} - MEASURING_COMMANDS)
)


def mapped() -> dict[str, set[str]]:
    """The map's tables of rooms: what each may import."""
    row = r"^\| `((?:edge|build_engines|models)\.\w+)` \|[^|]*\|([^|]*)\|$"
    return {
        room: set(re.findall(r"`([\w.]+)`", allowed)) for room, allowed in re.findall(row, MAP, re.MULTILINE)
    }


def test_the_map_names_every_room() -> None:
    assert sorted(mapped()) == [*rooms()]


@pytest.mark.parametrize("room", rooms())
def test_a_room_imports_what_the_map_says_and_nothing_else(room: str) -> None:
    of_map = arrows()[room]
    if room == "edge.commands":  # its one way up is a test of its own
        of_map = {name for name in of_map if name.startswith("edge.")}
    assert of_map == mapped()[room]


def test_no_two_rooms_import_each_other() -> None:
    assert not circles(mapped())


def test_no_modules_import_each_other_in_a_circle() -> None:
    found: dict[str, set[str]] = {name: set() for name in modules()}
    for each in imports():
        if each.source in found:
            found[each.module].add(each.source)
    assert not circles(found)


def test_the_single_modules_are_on_the_map_and_import_no_room() -> None:
    single = {name for name in modules() if name.startswith("edge.") and name.count(".") == 1}
    single -= packages() | DOORS
    section = MAP.split("| modules |")[1].split("\n\n")[0]
    assert {f"edge.{name}" for name in re.findall(r"`(\w+)`", section)} == single
    assert not {room_of(each.source) for each in imports() if each.module in single} & {*rooms()}


def test_the_station_reaches_up_in_one_command_only() -> None:
    """``bench --engines`` writes graphs of other sizes: it says what to install where it cannot."""
    up = [
        each
        for each in imports()
        if each.module.startswith("edge")
        and each.source.split(".")[0] in ("build_engines", "models", "torch", "transformers")
    ]
    assert not any(each.at_the_top for each in up)
    assert {(each.module, room_of(each.source)) for each in up} == {
        ("edge.commands.bench", "build_engines.engine_bench")
    }


def test_training_knows_nothing_of_building() -> None:
    names = {each.source.split(".")[0] for each in imports() if each.module.startswith("models")}
    assert "edge" in names and "build_engines" not in names


@cache
def face(package: str) -> frozenset[str]:
    """What a package's ``__all__`` names."""
    for node in ast.parse(modules()[package].read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return frozenset(ast.literal_eval(node.value))
    return frozenset()


def given(package: str) -> set[str]:
    """The names in a package's face that are no modules of it."""
    return {name for name in face(package) if f"{package}.{name}" not in modules()}


def is_inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def seen_from_outside() -> set[str]:
    """All modules and names, with their packages before them, that other rooms and tests import.

    A room's own tests look at its modules as the room itself does: these do not count.
    """
    seen = set()
    for path in (ROOT / "tests").rglob("*.py"):
        for each in imports_of(path, ".".join(path.relative_to(ROOT / "tests").with_suffix("").parts)):
            names = _paths(each)
            seen |= {name for name in names if name not in modules() or not _is_own(each, name)}
    for each in imports():
        seen |= {name for name in _paths(each) if not _is_own(each, name)}
    return seen


def _paths(each: Import) -> list[str]:
    names = f"{each.source}.{each.name}".rstrip(".").split(".")
    return [".".join(names[:length]) for length in range(2, len(names) + 1)]


def _is_own(each: Import, path: str) -> bool:
    return is_inside(each.module, path.rpartition(".")[0])


def past_a_face() -> list[str]:
    found = []
    for each in imports():
        inner = each.source if each.source in packages() else each.source.rpartition(".")[0]
        if inner not in packages() or inner.count(".") == 0 or is_inside(each.module, inner):
            continue  # beside the rooms, or inside of this one
        if each.source in packages():
            wrong = bool(each.name) and each.name not in face(inner)
        else:
            wrong = each.source.rpartition(".")[2] not in face(inner) or each.name in given(inner)
        if wrong and room_of(inner) not in ("edge.commands", "build_engines.commands", "models.commands"):
            found.append(f"{each.module}: from {each.source} import {each.name}")
    return found


def test_nobody_reaches_past_a_face() -> None:
    """A room's ``__all__`` names what it gives, and its modules that others may import from."""
    assert not past_a_face()


def test_a_room_inside_a_room_is_in_its_face() -> None:
    outer = {room: room.rpartition(".")[0] for room in packages() if room.count(".") > 1}
    for each in imports():
        for room, around in outer.items():
            if is_inside(each.source, room) and not is_inside(each.module, around):
                assert room.rpartition(".")[2] in face(around), f"{each.module}: {each.source}"


def test_a_face_names_only_what_is_there() -> None:
    for package in packages():
        there = importlib.import_module(package)
        for name in face(package):
            assert f"{package}.{name}" in modules() or hasattr(there, name), f"{package}: {name}"


def test_a_face_shows_nothing_that_nobody_looks_at() -> None:
    """But what the package's own ``__init__`` defines, and what programs of other people use."""
    seen = seen_from_outside()
    for package in packages() - {"edge"}:
        tree = ast.parse(modules()[package].read_text(encoding="utf-8"))
        own = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        assert not {name for name in face(package) - own if f"{package}.{name}" not in seen}, package


def test_nobody_imports_what_is_private_to_another_package() -> None:
    found = []
    for each in imports():
        if each.source.split(".")[0] not in ("edge", "build_engines", "models"):
            continue
        own = each.module if each.module in packages() else each.module.rpartition(".")[0]
        private = [part for part in f"{each.source}.{each.name}".split(".") if re.match(r"_[^_]", part)]
        home = each.source if each.source in packages() else each.source.rpartition(".")[0]
        if private and home != own:
            found.append(f"{each.module}: {each.source} {each.name}")
    assert not found


def reached_from(module: str) -> set[str]:
    """All that a module can ever import, and what that imports."""
    targets = defaultdict(set)
    for each in imports():
        targets[each.module].add(each.source)
    seen, left = set(), {module}
    while left:
        name = left.pop()
        seen.add(name)
        left |= {*targets[name]} - seen
    return seen


@pytest.mark.parametrize("command", STATION_COMMANDS)
def test_a_station_never_needs_what_measures_or_shows_it(command: str) -> None:
    reached = {room_of(name) for name in reached_from(f"edge.commands.{command}")}
    assert not reached & {*MEASURING}


def test_measuring_is_loaded_by_no_command_of_a_station() -> None:
    """What the imports say, in a process: with all these commands imported, nothing of measuring is there."""
    program = (
        "import importlib, sys\n"
        f"for name in {STATION_COMMANDS!r}: importlib.import_module(f'edge.commands.{{name}}')\n"
        f"sys.exit(any(name.startswith({MEASURING!r}) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_every_command_stands_in_a_room_of_commands() -> None:
    """Options and arguments are declared where commands are, and by what they share."""
    for name, path in modules().items():
        if re.search(r"^@click\.(command|group)\b", path.read_text(encoding="utf-8"), re.MULTILINE):
            assert room_of(name).endswith(".commands") or name in DOORS, name
