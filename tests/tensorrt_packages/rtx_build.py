"""Builds halves with TensorRT-RTX by the project's own code, in a process of its own.

Reads a JSON list of jobs from standard input and writes what came of each to standard output.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import tensorrt_rtx_bindings

from edge.errors import EngineError
from edge.vision.tensorrt.build import LengthSpan, build_plan


def built(job: dict[str, Any]) -> dict[str, Any]:
    steps: list[str] = []
    known = Path(job["timings"]).read_bytes() if "timings" in job else b""
    try:
        made = build_plan(
            tensorrt_rtx_bindings,
            Path(job["graph"]).read_bytes(),
            name=job["name"],
            span=LengthSpan(*job["span"]),
            workspace_mb=512,
            timing_cache=known,
            progress=lambda what, done, total: steps.append(f"{what} {done}/{total}"),
        )
    except EngineError as error:
        return {"error": error.message, "remedy": error.remedy}
    if "plan" in job:
        Path(job["plan"]).write_bytes(made.plan)
    return {"plan_bytes": len(made.plan), "timing_bytes": len(made.timing_cache), "steps": steps}


if __name__ == "__main__":
    json.dump([built(job) for job in json.load(sys.stdin)], sys.stdout)
