"""What is installed to compile llama-cpp-python and to run it: only what ``locked/`` names, by its hash."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from edge.errors import SourceError

_LOCKED = Path(__file__).with_name("locked")
BUILD, RUN = _LOCKED / "llama-build.txt", _LOCKED / "llama-run.txt"
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")


def environment_with_tools(folder: Path) -> dict[str, str]:
    """Installs what compiles into ``folder``: the environment of a process that finds it there first.

    Raises:
        SourceError: pip says why not.
    """
    install_pinned(BUILD, "--target", str(folder))
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(folder), os.environ.get("PYTHONPATH", ""))).rstrip(os.pathsep),
        "PATH": os.pathsep.join((str(folder / "bin"), os.environ.get("PATH", os.defpath))),
    }


def install_pinned(requirements: Path, *options: str) -> None:
    """Installs what a file of ``locked/`` names; what is there already in that version stays.

    Raises:
        SourceError: pip says why not.
    """
    install_exactly(requirements.name, "--only-binary", ":all:", "--requirement", str(requirements), *options)


def install_exactly(what: str, *arguments: str) -> None:
    """Has pip install these very files or nothing.

    Args:
        what: for the message.
        arguments: files with their hashes, and options.

    Raises:
        SourceError: pip says why not.
    """
    command = [*PIP, "install", "--quiet", "--no-deps", "--require-hashes", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SourceError(f"pip cannot install {what}: {error_in(done.stderr)}")


def error_in(output: str) -> str:
    """The line of pip's output that says what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE)]
    return (errors or lines or ["no reason given"])[0]
