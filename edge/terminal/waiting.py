"""What a command is busy with before it has anything to show, on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

_T = TypeVar("_T")


@contextmanager
def waiting(what: str, console: Console | None = None) -> Iterator[None]:
    """Say that this is being done while the block runs; on no terminal, say nothing.

    Args:
        console: where; None for standard error.
    """
    from rich.console import Console

    console = console or Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield
        return
    with console.status(f"{what} …"):
        yield


@contextmanager
def opened_visibly(
    what: str, manager: AbstractContextManager[_T], console: Console | None = None
) -> Iterator[_T]:
    """Enter a context, saying so as :func:`waiting` does until it is entered."""
    with ExitStack() as stack:
        with waiting(what, console):
            entered = stack.enter_context(manager)
        yield entered
