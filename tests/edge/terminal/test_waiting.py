"""A person at a terminal is told what a command is busy with; what it prints for programs stays clean."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from edge.terminal.waiting import opened_visibly
from tests.edge.parts import write_parts


def test_inspect_says_what_it_waits_for_on_a_terminal(
    on_speaking_plate: list[object], tmp_path: Path
) -> None:
    image = write_parts(tmp_path / "parts", good=1)[0]
    terminal, seen_by_command = pty.openpty()
    words = map(str, ("inspect", *on_speaking_plate, "--json", image))
    process = subprocess.Popen(
        [sys.executable, "-m", "edge", *words],
        stdout=subprocess.PIPE,
        stderr=seen_by_command,
        env=os.environ | {"TERM": "xterm"},
    )
    os.close(seen_by_command)
    shown = b""
    while chunk := _read(terminal):
        shown += chunk
    out, _ = process.communicate(timeout=60)
    os.close(terminal)
    told = shown.decode()
    steps = [told.find(step) for step in ("model bundle", "vision graph", "language model")]
    assert -1 not in steps and steps == sorted(steps), told
    assert json.loads(out)["verdict"] == "ok"


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # EIO: the other end is closed
        return b""


def test_what_is_opened_visibly_is_closed() -> None:
    class Door:
        """A context that takes an error as its own."""

        closed_by: list[object] = []  # noqa: RUF012

        def __enter__(self) -> str:
            return "open"

        def __exit__(self, kind: object, error: object, trace: object) -> bool:
            self.closed_by.append(kind)
            return kind is KeyError

    with opened_visibly("opening", Door()) as state:
        assert state == "open"
    with opened_visibly("opening", Door()):
        raise KeyError
    with pytest.raises(ValueError), opened_visibly("opening", Door()):
        raise ValueError
    assert Door.closed_by == [None, KeyError, ValueError]
