"""``python -m models``: training, and looks at what it trains on."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence

import click

import models.commands
from edge.tools import command_line

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Commands(click.Group):
    """The modules of :mod:`models.commands`, imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [each.name.replace("_", "-") for each in pkgutil.iter_modules(models.commands.__path__)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        return load_command(cmd_name)


@click.group(cls=_Commands, context_settings=_SETTINGS)
def cli() -> None:
    """Trains what is learned, and shows what it is trained on."""


def load_command(name: str) -> click.Command:
    """The command of that name."""
    module = importlib.import_module(f"models.commands.{name.replace('-', '_')}")
    command: click.Command = module.command
    return command


def run_command(name: str, arguments: Sequence[str] | None = None) -> None:
    """Runs one command as a program of its own, such as ``python -m models.train``."""
    load_command(name).main(
        arguments, prog_name=command_line(f"models.{name}"), help_option_names=["-h", "--help"]
    )


if __name__ == "__main__":
    cli(prog_name=command_line("models"))
