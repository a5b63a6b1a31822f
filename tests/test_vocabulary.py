"""One word for one thing: a class, a choice or a kind of array has one name and one definition."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
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


def test_no_two_classes_have_the_same_name() -> None:
    def classes() -> Iterator[tuple[str, str]]:
        for place, tree in modules():
            yield from ((node.name, place) for node in tree.body if isinstance(node, ast.ClassDef))

    assert not twice(classes())


def test_a_choice_of_several_words_is_spelled_out_once() -> None:
    """``Literal["a", "b"]``: two copies are two lists to forget."""

    def choices() -> Iterator[tuple[str, str]]:
        for place, tree in modules():
            for node in ast.walk(tree):
                if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
                    words = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
                    if len(words) > 1:
                        yield ", ".join(sorted(ast.unparse(word) for word in words)), f"{place}:{node.lineno}"

    assert not twice(choices())


def test_an_alias_is_defined_once() -> None:
    """Such as ``Image``: whoever reads it in two rooms reads the same."""

    def aliases() -> Iterator[tuple[str, str]]:
        for place, tree in modules():
            for node in tree.body:
                if (
                    isinstance(node, ast.Assign)
                    and isinstance(node.targets[0], ast.Name)
                    and isinstance(node.value, ast.Subscript | ast.BinOp)
                    and (name := node.targets[0].id)[:1].isupper()
                    and not name.isupper()
                ):
                    yield name, f"{place}:{node.lineno}"

    assert not twice(aliases())


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
