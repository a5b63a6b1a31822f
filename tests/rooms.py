"""Which module imports which, read from the code: the map is held to it, and its picture drawn from it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("edge", "build_engines", "models")


@dataclass(frozen=True, slots=True)
class Import:
    """One name that a module imports.

    Attributes:
        module: who imports.
        source: the module that it comes from; a package for a name of the package's face.
        name: what is imported; empty for ``import source``.
        at_the_top: as the module itself is imported, and not when a function is called.
    """

    module: str
    source: str
    name: str
    at_the_top: bool


@cache
def modules() -> Mapping[str, Path]:
    """The modules of the three packages by their dotted names; a package by its own."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }


@cache
def packages() -> frozenset[str]:
    """Those that are packages."""
    return frozenset(name for name, path in modules().items() if path.name == "__init__.py")


@cache
def imports() -> tuple[Import, ...]:
    """All imports, wherever in a module they stand, also those for the type checker alone."""
    return tuple(found for name, path in modules().items() for found in imports_of(path, name))


def imports_of(path: Path, module: str) -> Iterator[Import]:
    """The imports of a file, which is called so."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(module, alias.name, "", id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                source, name = (whole, "") if whole in modules() else (node.module or "", alias.name)
                yield Import(module, source, name, id(node) in top)


def room_of(module: str) -> str:
    """The room at the street that a module belongs to: ``edge.vision`` for ``edge.vision.simulate.spots``.

    A module that stands beside the rooms is its own.
    """
    street = ".".join(module.split(".")[:2])
    return street if street in packages() else module


@cache
def rooms() -> tuple[str, ...]:
    """The rooms at the street, by package and name."""
    return tuple(sorted(name for name in packages() if name.count(".") == 1))


def arrows() -> dict[str, set[str]]:
    """The rooms that each room imports."""
    found: dict[str, set[str]] = {room: set() for room in rooms()}
    for each in imports():
        source, target = room_of(each.module), room_of(each.source)
        if source in found and target in found and source != target:
            found[source].add(target)
    return found


def circles(arrows: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """Circles, and what leads to them: what is left when all that lead nowhere are taken away."""
    left = {name: {*targets} & arrows.keys() - {name} for name, targets in arrows.items()}
    while ends := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in ends:
            del left[name]
    return left
