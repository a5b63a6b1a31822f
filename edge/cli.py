"""The command line: finds the commands, and turns every error into one line and an exit code.

Exit codes: 0 done, 1 an error (one line on standard error says what and the remedy), 2 wrong
usage, 130 interrupted. A command that has codes of its own says so in its ``--help``.
"""

from __future__ import annotations

import importlib
import logging
import os
import pkgutil
import sys
from collections.abc import Sequence

import click

import edge.commands
from edge.errors import EdgeError
from edge.exit_codes import EXIT_ERROR, EXIT_INTERRUPTED
from edge.paths import keep_from_others
from edge.plain_text import one_line

_SILENT = logging.NullHandler()

_ORDER = (
    "demo",
    "run",
    "check",
    "schema",
    "doctor",
    "enroll",
    "inspect",
    "ask",
    "evaluate",
    "evaluate-dialogue",
    "bench",
    "products",
    "records",
)
"""In which ``--help`` shows the commands; those that it does not name come after them."""


def command_names() -> list[str]:
    """The modules in :mod:`edge.commands`: each of them is a command, with dashes for underscores."""
    modules = [module.name for module in pkgutil.iter_modules(edge.commands.__path__)]
    found = [name.replace("_", "-") for name in modules]
    return [name for name in _ORDER if name in found] + [name for name in found if name not in _ORDER]


class _LazyCommands(click.Group):
    """Imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return command_names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        if cmd_name not in command_names():
            return None
        module = importlib.import_module(f"edge.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command


@click.group(
    cls=_LazyCommands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(edge.__version__, prog_name="anomalygpt-edge")
def cli() -> None:
    """Factory inspection that learns a product from a few good parts and needs no threshold."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit.

    Args:
        arguments: as on the command line, without the program's name; default: the process's own.
    """
    keep_from_others()
    sys.exit(_exit_code(arguments))


def _exit_code(arguments: Sequence[str] | None) -> int:
    # A command that shows no log says itself what matters; Python would print warnings beside it.
    logging.getLogger("edge").addHandler(_SILENT)
    try:
        done = cli.main(arguments, prog_name="anomalygpt-edge", standalone_mode=False)
        sys.stdout.flush()
        return done if isinstance(done, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except EdgeError as error:
        lines = str(error).split("\n")  # a station file's problems, one a line
        click.echo(f"error: {chr(10).join(map(one_line, lines))}", err=True)
        return EXIT_ERROR
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) is gone; without this the interpreter complains once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_ERROR
