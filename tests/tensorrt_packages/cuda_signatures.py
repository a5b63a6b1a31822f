"""Holds the project's calls of cuda-python against one version of it, in a process of its own.

Reads a JSON list of [where, name, number of arguments or null] from standard input and writes the complaints
to standard output; and what opening a GPU says on a machine that has none.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import cuda.bindings
from cuda.bindings import runtime

from edge.errors import EngineError
from edge.vision.tensorrt.cuda_python import CudaPython


def complaint(where: str, path: str, count: int | None) -> str:
    found: Any = runtime
    for name in path.split("."):
        if not hasattr(found, name):
            return f"{where}: {path} does not exist"
        found = getattr(found, name)
    if count is None:
        return ""
    matched = re.match(r"\w+\((.*?)\)( ->.*)?$", (found.__doc__ or "").strip().splitlines()[0])
    taken = len([p for p in matched[1].split(",") if p.strip()]) if matched else -1
    return "" if taken == count else f"{where}: {path} takes {taken} arguments, not {count}"


def refusal() -> str:
    try:
        CudaPython().close()
    except EngineError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    said = [line for use in json.load(sys.stdin) if (line := complaint(*use))]
    json.dump({"version": cuda.bindings.__version__, "complaints": said, "refusal": refusal()}, sys.stdout)
