"""Holds uses of TensorRT against one version's real bindings, in a process of its own.

Reads a JSON list of uses from standard input and writes the complaints to standard output. The signatures
are those that pybind11 writes into every docstring.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import tensorrt_bindings

# Attributes that Python itself gives.
_PLAIN = {"__version__"}
_CLOSING = {")": "(", "]": "[", ">": "<", "}": "{"}


def complaints(uses: list[dict[str, Any]]) -> list[str]:
    return [f"{use['where']}: {said}" for use in uses for said in _complaints(use)]


def _complaints(use: dict[str, Any]) -> list[str]:
    found: Any = tensorrt_bindings
    for name in use["path"].split("."):
        if not hasattr(found, name):
            return [f"{use['path']} does not exist"]
        found = getattr(found, name)
    if use["kind"] == "attribute":
        return []
    if isinstance(found, type):
        found = getattr(found, "__init__")  # noqa: B009 - which overload of it does not matter here
    signatures = signatures_of(found)
    if not signatures:
        return [f"{use['path']} has no signature to be held against"]
    count = use["positional"]
    if use["kind"] == "override":
        taken = [len(parameters) for parameters, _ in signatures]
        return [] if count in taken else [f"{use['path']} is overridden with {count} parameters, not {taken}"]
    fitting = [returns for parameters, returns in signatures if _fits(parameters, count, use["keywords"])]
    if not fitting:
        return [f"{use['path']} takes no {count} arguments and {use['keywords']}: {signatures}"]
    if use["kept_untyped"] and any("tensorrt" in returns for returns in fitting):
        return [f"{use['path']} gives {fitting[0]}: annotate what it is kept as"]
    return []


def signatures_of(function: Any) -> list[tuple[list[tuple[str, bool]], str]]:
    """Per overload: parameters as (name, whether it may be left out), without self; and what it returns."""
    found = []
    for line in (function.__doc__ or "").splitlines():
        matched = re.match(r"^(?:\d+\. )?\w+\((.*)\) -> (.*)$", line.strip())
        if matched and matched[1] != "*args, **kwargs":
            parameters = [p.strip() for p in _split(matched[1])]
            named = [(p.split(":")[0].split("=")[0].strip(), "=" in p) for p in parameters]
            found.append(([each for each in named if each[0] not in ("self", "/", "*")], matched[2]))
    return found


def _split(parameters: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for i, letter in enumerate(parameters):
        depth += letter in _CLOSING.values()
        depth -= letter in _CLOSING and not parameters[:i].endswith("-")
        if letter == "," and depth == 0:
            parts.append(parameters[start:i])
            start = i + 1
    return [part for part in [*parts, parameters[start:]] if part.strip()]


def _fits(parameters: list[tuple[str, bool]], count: int, keywords: list[str]) -> bool:
    if count > len(parameters):
        return False
    rest = parameters[count:]
    known = set(keywords) <= {name for name, _ in rest}
    return known and all(optional or name in keywords for name, optional in rest)


if __name__ == "__main__":
    result = {"version": tensorrt_bindings.__version__, "complaints": complaints(json.load(sys.stdin))}
    json.dump(result, sys.stdout)
