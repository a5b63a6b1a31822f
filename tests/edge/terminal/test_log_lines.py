"""A record of the log is one line, whatever a part or a file is called."""

from __future__ import annotations

import io
import logging
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from edge.commands.records import csv_cell
from edge.errors import FrameError
from edge.plain_text import one_line
from edge.terminal.log_lines import OneLine, logging_to

FORGED = "part.png: ok\n2026-01-02 03:04:05,678 INFO 7 part-7 ok: score 0.01\r\x1b[2K\u2028\u202egnp"


@pytest.mark.parametrize("live", [False, True])
def test_a_file_name_forges_no_line(capsys: pytest.CaptureFixture[str], live: bool) -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=400, color_system=None) if live else None
    with logging_to(console):
        logging.getLogger("edge.test").info("%s: %s", 6, FORGED)
    written = screen.getvalue() if live else capsys.readouterr().err
    assert len(written.splitlines()) == 1
    assert "\x1b" not in written and "\u202e" not in written
    assert "part.png: ok\\n2026-01-02" in written


def test_no_line_of_a_trace_looks_like_a_record() -> None:
    try:
        raise FrameError(FORGED)
    except FrameError:
        record = logging.LogRecord("edge", logging.ERROR, "", 0, "a part failed", None, sys.exc_info())
    first, *trace = OneLine("%(asctime)s %(message)s").format(record).splitlines()
    assert first.endswith("a part failed")
    assert trace and all(line.startswith("    ") for line in trace)
    assert any("FrameError: part.png: ok" in line for line in trace)


@settings(deadline=None)
@given(st.text())
def test_any_text_becomes_one_visible_line(text: str) -> None:
    shown = one_line(text)
    assert len(f"{shown}x".splitlines()) == 1
    shown.encode()  # no lone surrogates
    if text.isprintable():
        assert shown == text or not text.isascii()


@settings(deadline=None)
@given(st.text())
def test_no_text_is_a_formula_in_a_spreadsheet(text: str) -> None:
    cell = str(csv_cell(text))
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cell.removeprefix("'") == text.encode("utf-8", "backslashreplace").decode().removeprefix("'")


@pytest.mark.parametrize("value", [-0.25, 3, None, True])
def test_numbers_stay_numbers_in_a_spreadsheet(value: object) -> None:
    assert csv_cell(value) is value
