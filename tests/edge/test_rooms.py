"""Who imports whom is what docs/architecture.md says, in both directions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
EDGE = TOP / "edge"
MAP = TOP / "docs" / "architecture.md"
ABOVE = ("build_engines", "models", "torch", "transformers")
ROOMS = sorted(path.parent.name for path in EDGE.glob("*/__init__.py"))


def imported(path: Path) -> Iterator[tuple[str, bool]]:
    """The modules that a file imports, and whether it does so at its top."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    at_the_top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in at_the_top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module or "", id(node) in at_the_top
            yield from ((f"{node.module}.{alias.name}", id(node) in at_the_top) for alias in node.names)


def rooms_reached(folder: Path) -> set[str]:
    """The rooms of the station that the modules of a folder import."""
    names = {name for path in folder.rglob("*.py") for name, _ in imported(path)}
    return {parts[1] for parts in (name.split(".") for name in names) if parts[0] == "edge" and parts[1:]} & {
        *ROOMS
    }


def mapped() -> dict[str, set[str]]:
    """The map's table of rooms: what each may import."""
    rows = re.findall(r"^\| `edge\.(\w+)` \|[^|]*\|([^|]*)\|$", MAP.read_text(encoding="utf-8"), re.MULTILINE)
    return {room: set(re.findall(r"`(\w+)`", allowed)) for room, allowed in rows}


def test_the_map_names_every_room() -> None:
    assert sorted(mapped()) == ROOMS


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_what_the_map_says_and_nothing_else(room: str) -> None:
    assert rooms_reached(EDGE / room) - {room} == mapped()[room]


def test_no_two_rooms_import_each_other() -> None:
    arrows = {room: rooms_reached(EDGE / room) - {room} for room in ROOMS}
    while leaves := [room for room, reached in arrows.items() if not reached & arrows.keys()]:
        for room in leaves:
            del arrows[room]
    assert not arrows, "these stand in a circle"


def test_the_single_modules_are_on_the_map_and_import_no_room() -> None:
    doors = {"__init__", "__main__", "cli"}
    single = {path.stem: path for path in EDGE.glob("*.py") if path.stem not in doors}
    section = MAP.read_text(encoding="utf-8").split("| modules |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", section)) == set(single)
    for name, path in single.items():
        reached = {module.split(".")[1] for module, _ in imported(path) if module.startswith("edge.")}
        assert not reached & {*ROOMS}, name


def test_the_station_reaches_up_in_one_command_only() -> None:
    """``bench --engines`` writes graphs of other sizes: it says what to install where it cannot."""
    reached = set()
    for path in EDGE.rglob("*.py"):
        for name, at_the_top in imported(path):
            if name.split(".")[0] in ABOVE:
                assert not at_the_top, f"{path} imports {name} before it is asked to"
                reached.add((str(path.relative_to(EDGE)), name))
    assert {(path, ".".join(name.split(".")[:2])) for path, name in reached} == {
        ("commands/bench.py", "build_engines.engine_bench")
    }


def test_training_knows_nothing_of_building() -> None:
    names = {name.split(".")[0] for path in (TOP / "models").rglob("*.py") for name, _ in imported(path)}
    assert "edge" in names and "build_engines" not in names
