"""One word for one thing: a class, a choice or a kind of array has one name and one definition."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("edge", "build_engines", "models")


def modules() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def twice(found: Iterator[tuple[str, str]]) -> dict[str, list[str]]:
    """What was found in more than one place, and the places."""
    places = defaultdict(list)
    for what, place in found:
        places[what].append(place)
    return {what: where for what, where in places.items() if len(where) > 1}


def classes() -> Iterator[tuple[str, str]]:
    for place, tree in modules():
        yield from (
            (node.name, f"{place}:{node.lineno}") for node in tree.body if isinstance(node, ast.ClassDef)
        )


def aliases() -> Iterator[tuple[str, str]]:
    """Types that were given a name, such as ``Image``, with or without an annotation."""
    for place, tree in modules():
        for node in tree.body:
            if isinstance(node, ast.Assign):
                target = node.targets[0]
            elif isinstance(node, ast.AnnAssign):
                target = node.target
            else:
                continue
            if (
                isinstance(node.value, ast.Subscript | ast.BinOp)
                and isinstance(target, ast.Name)
                and target.id[:1].isupper()
                and not target.id.isupper()
            ):
                yield target.id, f"{place}:{node.lineno}"


def test_a_name_of_a_type_is_defined_once() -> None:
    """A class or an alias: whoever reads it in two rooms reads the same."""
    assert not twice(chain(classes(), aliases()))


def test_a_choice_of_several_words_is_spelled_out_once() -> None:
    """``Literal["a", "b"]``: two copies are two lists to forget."""

    def choices() -> Iterator[tuple[str, str]]:
        for place, tree in modules():
            for node in ast.walk(tree):
                if isinstance(node, ast.Subscript) and ast.unparse(node.value).split(".")[-1] == "Literal":
                    words = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
                    if len(words) > 1:
                        yield ", ".join(sorted(ast.unparse(word) for word in words)), f"{place}:{node.lineno}"

    assert not twice(choices())


def test_every_section_of_a_station_file_has_the_same_base() -> None:
    bases = {
        base.id
        for place, tree in modules()
        if place.endswith(("settings.py", "config/schema.py"))
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Name)
    }
    assert "Section" in bases and "BaseModel" not in bases
