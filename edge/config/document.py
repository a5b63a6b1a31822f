"""A YAML file as plain data, with the place of every key and value.

YAML's traps are closed here: the scalars are those of YAML 1.2 (``no`` and ``12:30`` are text),
a key may stand once, and anchors, aliases and tags are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file, counted from 1."""

    line: int
    column: int


class SyntaxProblem(Exception):
    """The text is no YAML that a station file may hold; nothing in it can be used.

    Attributes:
        reason: what is wrong, without quoting the text (it could be a secret).
        place: where.
    """

    def __init__(self, reason: str, place: Place) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place


@dataclass(frozen=True)
class Document:
    """The content of a file.

    Attributes:
        data: mappings, lists and scalars.
        keys: place of every key (or list entry), by its path.
        scalars: place of every scalar and its own letters, by its path.
        repeated: place of every key that stands a second time, with its path.
    """

    data: Any = None
    keys: dict[KeyPath, Place] = field(default_factory=dict)
    scalars: dict[KeyPath, tuple[Place, str]] = field(default_factory=dict)
    repeated: list[tuple[KeyPath, Place]] = field(default_factory=list)


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core schema, and no references."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - PyYAML's own class attribute

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise SyntaxProblem(
                "anchors (&) and aliases (*) are not allowed: write the value out, or put text in quotes",
                _place(event.start_mark),
            )
        return super().compose_node(parent, index)


for _tag, _pattern, _first in (
    ("null", r"^(?:null|Null|NULL|~|)$", ["n", "N", "~", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", list("-+0123456789.")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


def parse(text: str) -> Document:
    """Read YAML text. Raises :class:`SyntaxProblem`."""
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            document = Document()
            if node is None:
                return document
            data = _value(node, (), document)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise SyntaxProblem(_reason(error), _place(error.problem_mark or error.context_mark)) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        raise SyntaxProblem(
            f"the character U+{error.character:04X} is not allowed",
            Place(before.count("\n") + 1, error.position - before.rfind("\n")),
        ) from None
    except RecursionError:
        raise SyntaxProblem("sections are nested too deeply", Place(1, 1)) from None
    return Document(data, document.keys, document.scalars, document.repeated)


def _value(node: yaml.Node, path: KeyPath, document: Document) -> Any:
    if isinstance(node, yaml.MappingNode):
        _only(node, "map")
        return _mapping(node, path, document)
    if isinstance(node, yaml.SequenceNode):
        _only(node, "seq")
        entries = []
        for index, entry in enumerate(node.value):
            entry_path = (*path, index)
            document.keys[entry_path] = _place(entry.start_mark)
            entries.append(_value(entry, entry_path, document))
        return entries
    document.scalars[path] = (_place(node.start_mark), str(node.value))
    return _scalar(node)


def _mapping(node: yaml.MappingNode, path: KeyPath, document: Document) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if key_node.id != "scalar":
            raise SyntaxProblem("a key must be text", _place(key_node.start_mark))
        key = str(key_node.value)
        key_path = (*path, key)
        if key in values:
            document.repeated.append((key_path, _place(key_node.start_mark)))
            continue
        document.keys[key_path] = _place(key_node.start_mark)
        values[key] = _value(value_node, key_path, document)
    return values


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    kind = node.tag.rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int" and len(text) <= 19:
        return int(text)
    if kind in ("int", "float"):
        return float(text)
    _only(node, "str")
    return text


def _only(node: yaml.Node, kind: str) -> None:
    if node.tag != f"tag:yaml.org,2002:{kind}":
        raise SyntaxProblem("tags (!) are not allowed: write the plain value", _place(node.start_mark))


def _reason(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "this is no YAML"
    if "'\\t'" in problem:
        return "a tab cannot indent or begin a value; use spaces"
    if "mapping values are not allowed" in problem:
        return "a second ':' in one line, or an indent that does not fit; put text with ': ' in quotes"
    if "expected <block end>" in problem:
        return "the indent does not fit the lines above"
    if "could not find expected ':'" in problem:
        return "a key without its ':'"
    if "single document" in (error.context or ""):
        return "a second document begins here ('---'); a station file holds one"
    return problem


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1) if mark is not None else Place(1, 1)
