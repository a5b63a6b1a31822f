"""The log of a command that runs for long: what changes, one line each, on standard error."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def log_to(console: Console | None, level: int = logging.INFO) -> None:
    """Show the station's log on standard error, or above the live table of ``console``."""
    handler: logging.Handler = logging.StreamHandler()
    if console is not None:
        from rich.logging import RichHandler

        handler = RichHandler(console=console, show_path=False, log_time_format="%H:%M:%S", markup=False)
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("edge")
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False
