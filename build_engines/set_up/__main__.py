"""The command: ``make`` calls it with what it set up before."""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

from rich.console import Console

from build_engines.set_up.display import Display, minutes
from build_engines.set_up.plan import SetUpPlan
from build_engines.set_up.step import StepProgress
from build_engines.set_up.steps import TARGETS, steps
from build_engines.set_up.work import WITHOUT_LANGUAGE
from edge.errors import EdgeError
from edge.paths import cache_dir, checkout
from edge.whole_file import write_whole

TIMES_NAME = "times.json"


def set_up(target: str, *, language: bool, since_s: float | None, console: Console) -> None:
    """Sets this environment up for a target, showing how far it is, and says at the end what took how long.

    Args:
        target: of :data:`build_engines.set_up.steps.TARGETS`.
        language: whether the language half is made.
        since_s: when ``make`` began, by the monotonic clock.
        console: for the person who waits.

    Raises:
        SourceError: a step failed.
    """
    logs = cache_dir() / "set-up"
    plan = SetUpPlan(steps(next(t for t in TARGETS if t == target), language=language), _root(), logs)
    before_s = 0.0 if since_s is None else time.monotonic() - since_s
    display = Display(console, plan, before_s)
    with display.shown():
        plan.run(display.tick)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = used.ru_utime + used.ru_stime
    total = f"{minutes(display.elapsed_s)}, {minutes(cpu_s)} of processor time on {os.cpu_count()} cores"
    console.print(f"set-up took {total}", highlight=False)
    console.print(display.summary(before_s))
    _record(logs / TIMES_NAME, target, display, plan, cpu_s)


def _record(file: Path, target: str, display: Display, plan: SetUpPlan, cpu_s: float) -> None:
    content = {
        "target": target,
        "cores": os.cpu_count(),
        "took_s": round(display.elapsed_s, 1),
        "processor_s": round(cpu_s, 1),
        "steps": {step.name: _times(plan.progress(step)) for step in plan.steps},
    }
    write_whole(file, json.dumps(content, indent=2) + "\n")


def _times(progress: StepProgress) -> dict[str, float]:
    return {"took_s": round(progress.took_s, 1), "processor_s": round(progress.processor_s, 1)}


def _root() -> Path:
    root = checkout()
    if root is None:
        sys.exit("error: set-up is for a checkout of the source; this package is installed already.")
    return root


def main() -> None:
    """Reads the arguments; an error is one line and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m build_engines.set_up", description="Called by make.")
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument(WITHOUT_LANGUAGE, action="store_true", help="neither llama.cpp nor what needs it")
    parser.add_argument("--since", type=float, metavar="S", help="when it began, by Python's monotonic clock")
    given = parser.parse_args()
    console = Console(stderr=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # What it started ends with it.
    try:
        set_up(given.target, language=not given.without_language, since_s=given.since, console=console)
    except EdgeError as error:
        console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit("interrupted")


if __name__ == "__main__":
    main()
