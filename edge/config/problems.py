"""What is wrong in a station file, in words that lead to the line and to the remedy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from edge.config.document import Document, KeyPath, Place
from edge.config.walk import KIND, keys_of, kinds_of, locate
from edge.errors import ConfigError

_SHOWN_CHARACTERS = 60
_SECRET_KEY = re.compile(r"pass|pwd|secret|token|credential|private", re.IGNORECASE)
#: Up to the last @: what a person took for a password may hold any character.
_SECRET_IN_ADDRESS = re.compile(r"(\w+://)?.*@", re.DOTALL)
_ADDRESS_KEYS = frozenset({"host", "url"})


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        file: the station file.
        line, column: where, counted from 1; 0 where it is about the whole file.
        key: the key with its sections, such as ``camera.rate_hz``; empty for the file.
        value: what is written there, empty where there is none or it may be a secret.
        reason: what is wrong with it, and what would be right.
    """

    file: Path
    line: int
    column: int
    key: str
    value: str
    reason: str

    def __str__(self) -> str:
        if not self.line:
            return f"{self.file} {self.reason}"
        place = f"{self.file}:{self.line}:{self.column}"
        key = f" {self.key}:" if self.key else ""
        value = f" '{self.value}'" if self.value else ""
        return f"{place}:{key}{value} {self.reason}"


class StationFileError(ConfigError):
    """A station file with problems; its message lists them all, one a line.

    Attributes:
        problems: the same, in the order of the file.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[StationFileError], tuple[tuple[Problem, ...]]]:  # type: ignore[override]
        return type(self), (self.problems,)


def repeated_keys(file: Path, document: Document) -> list[Problem]:
    """A problem for each key that stands twice in its section."""
    return [
        Problem(
            file,
            place.line,
            place.column,
            _dotted(path),
            "",
            f"is repeated here, after line {document.keys[path].line}; keep one of them",
        )
        for path, place in document.repeated
    ]


def schema_problems(
    file: Path, document: Document, schema: type[BaseModel], errors: Sequence[ErrorDetails]
) -> list[Problem]:
    """The errors of pydantic as problems of the file; several about one value become one."""
    found: dict[KeyPath, Problem] = {}
    for error in errors:
        path = locate(schema, document.data, error["loc"])
        if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
            path = (*path, KIND)
        if path in found:
            continue
        place, value = _place_and_value(document, path, error["type"])
        reason = _reason(schema, document.data, path, error)
        found[path] = Problem(file, place.line, place.column, _dotted(path), value, _without_secrets(reason))
    return list(found.values())


def _place_and_value(document: Document, path: KeyPath, kind: str) -> tuple[Place, str]:
    if kind == "extra_forbidden":
        # The value of a key that nobody knows may be a misspelt secret: it is never shown.
        return document.keys.get(path, Place(1, 1)), ""
    if path in document.scalars:
        place, text = document.scalars[path]
        # An address that is refused may be refused for the login in it.
        secret = any(key in _ADDRESS_KEYS for key in path[-1:]) or any(
            isinstance(key, str) and _SECRET_KEY.search(key) for key in path
        )
        return place, "" if secret else _shown(text)
    # A section, or a key that is missing in it: where the nearest section begins.
    while path and path not in document.keys:
        path = path[:-1]
    return document.keys.get(path, Place(1, 1)), ""


def _reason(schema: type[BaseModel], data: Any, path: KeyPath, error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(str(path[-1]), keys_of(schema, data, path[:-1]))
    if kind == "missing":
        return "is missing"
    if kind == "union_tag_not_found":
        return f"is missing; it is one of {', '.join(kinds_of(schema, path[:-1]))}"
    if kind == "union_tag_invalid":
        return _choice(str(context["tag"]), kinds_of(schema, path[:-1]))
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"must be a section with the keys {', '.join(keys_of(schema, data, path))}"
    if kind == "literal_error":
        return _choice(str(error["input"]), re.findall(r"'([^']*)'", str(context["expected"])))
    if kind == "value_error":
        return str(context["error"])
    if kind == "tuple_type":
        return "must be a list"
    if kind == "string_type":
        return "must be text; put it in quotes"
    message = error["msg"].replace("Input should", "must").partition(", unable to")[0]
    return message[:1].lower() + message[1:]


def _unknown_key(key: str, known: Sequence[str]) -> str:
    near = get_close_matches(key, known, n=1, cutoff=0.6)
    if near:
        return f"is not a key of this section; did you mean {near[0]}?"
    return f"is not a key of this section, which has {', '.join(known)}"


def _choice(given: str, choices: Sequence[str]) -> str:
    near = get_close_matches(given, choices, n=1, cutoff=0.6)
    return f"must be one of {', '.join(choices)}" + (f"; did you mean {near[0]}?" if near else "")


def _dotted(path: KeyPath) -> str:
    dotted = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return dotted.lstrip(".")


def _shown(text: str) -> str:
    line = " ".join(_without_secrets(text).split())
    return line if len(line) <= _SHOWN_CHARACTERS else line[: _SHOWN_CHARACTERS - 1] + "…"


def _without_secrets(text: str) -> str:
    return _SECRET_IN_ADDRESS.sub(lambda found: f"{found[1] or ''}***@", text)
