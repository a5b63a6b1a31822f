"""The log of a command that runs for long: what changes, one line each, on standard error."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.plain_text import one_line

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    _ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class OneLine(logging.Formatter):
    """A record is a line. What a part or a file is called cannot begin another one.

    The trace of an error has lines of its own; they are indented, so that none looks like a record.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = one_line(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: _ExcInfo) -> str:
        trace = super().formatException(ei)
        return "\n".join(f"    {one_line(line)}" for line in trace.splitlines())


@contextmanager
def logging_to(console: Console | None, level: int = logging.INFO) -> Iterator[None]:
    """Show the station's log on standard error, or above the live table of ``console``, in this block."""
    handler: logging.Handler
    if console is not None:
        from rich.logging import RichHandler

        handler = RichHandler(console=console, show_path=False, log_time_format="%H:%M:%S", markup=False)
    else:
        handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(message)s" if console else "%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("edge")
    before = logger.level, logger.propagate
    logger.setLevel(level)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        level, logger.propagate = before
        logger.setLevel(level)  # Not the attribute: loggers below remember what was let through.
