"""What the code calls of TensorRT, read from the code itself: a new call is checked the day it is written.

The code holds to one habit: every object of TensorRT has its type in an annotation (``builder: trt.Builder``)
and the module is called ``tensorrt``. So each attribute that is used and each call that is made can be named
here with its class.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

MODULE, TYPES = "tensorrt", "trt"


@dataclass(frozen=True)
class Use:
    """One use of TensorRT.

    Attributes:
        where: file and line.
        path: ``Builder.create_network``, or of the module itself ``BuilderFlag.TF32``.
        kind: ``attribute``, ``call`` or ``override``.
        positional: number of positional arguments; of an override, its parameters without self.
        keywords: names of keyword arguments.
        kept_untyped: whether the result is given a name without a type.
    """

    where: str
    path: str
    kind: str = "attribute"
    positional: int = 0
    keywords: tuple[str, ...] = ()
    kept_untyped: bool = False


def uses_of(folder: Path) -> list[Use]:
    """All uses in the Python files of a folder."""
    return [use for path in sorted(folder.glob("*.py")) for use in uses_in(path.name, path.read_text())]


def uses_in(name: str, source: str) -> list[Use]:
    """All uses in one file."""
    found: list[Use] = []
    for scope, own in _scopes(ast.parse(source)):
        found += _Reader(name, own).read(scope)
    return found


def _scopes(tree: ast.Module) -> Iterator[tuple[ast.AST, dict[str, str]]]:
    """Each top-level function or class, with the types of the names in it."""
    returns: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            _note(returns, node.name, node.returns)
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node, _types(node, returns)


def _types(scope: ast.AST, returns: dict[str, str]) -> dict[str, str]:
    """Name or ``self.name`` to class: by annotations, and by what is kept of typed names and calls."""
    types: dict[str, str] = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.arg):
            _note(types, node.arg, node.annotation)
        elif isinstance(node, ast.AnnAssign):
            _note(types, ast.unparse(node.target), node.annotation)
    for node in ast.walk(scope):
        if not isinstance(node, ast.Assign):
            continue
        value = node.value.func if isinstance(node.value, ast.Call) else node.value
        known = returns if isinstance(node.value, ast.Call) else types
        if isinstance(value, ast.Name) and value.id in known:
            for target in node.targets:
                types[ast.unparse(target)] = known[value.id]
    return types


def _note(types: dict[str, str], name: str, annotation: ast.expr | None) -> None:
    if isinstance(annotation, ast.Attribute) and ast.unparse(annotation.value) == TYPES:
        types[name] = annotation.attr


@dataclass
class _Reader:
    file: str
    types: dict[str, str]
    found: list[Use] = field(default_factory=list)

    def read(self, scope: ast.AST) -> list[Use]:
        inner = {id(n.value) for n in ast.walk(scope) if isinstance(n, ast.Attribute)}
        called = {id(n.func): n for n in ast.walk(scope) if isinstance(n, ast.Call)}
        kept = {
            id(n.value)
            for n in ast.walk(scope)
            if isinstance(n, ast.Assign) and not all(ast.unparse(t) in self.types for t in n.targets)
        }
        for node in ast.walk(scope):
            if isinstance(node, ast.Attribute) and id(node) not in inner:
                self._attribute(node, called.get(id(node)), kept)
            elif isinstance(node, ast.ClassDef):
                self._overrides(node)
        return self.found

    def _attribute(self, node: ast.Attribute, call: ast.Call | None, kept: set[int]) -> None:
        path = self._path(node)
        if path is None:
            return
        where = f"{self.file}:{node.lineno}"
        if call is None:
            self.found.append(Use(where, path))
            return
        keywords = tuple(keyword.arg or "**" for keyword in call.keywords)
        untyped = id(call) in kept
        # Of a base's own __init__ the first argument is self.
        positional = len(call.args) - (node.attr == "__init__")
        self.found.append(Use(where, path, "call", positional, keywords, untyped))

    def _path(self, node: ast.Attribute) -> str | None:
        """``Class.attribute…`` where the object's type is known, or the module's path."""
        owner, names = node.value, [node.attr]
        while True:
            text = ast.unparse(owner)
            if text == MODULE:
                return ".".join(names)
            if text in self.types:
                return ".".join([self.types[text], *names])
            if not isinstance(owner, ast.Attribute):
                return None
            names = [owner.attr, *names]
            owner = owner.value

    def _overrides(self, node: ast.ClassDef) -> None:
        bases = [b for b in node.bases if isinstance(b, ast.Attribute) and ast.unparse(b.value) == MODULE]
        for base in bases:
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    where, count = f"{self.file}:{method.lineno}", len(method.args.args) - 1
                    self.found.append(Use(where, f"{base.attr}.{method.name}", "override", count))
