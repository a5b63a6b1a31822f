"""The parts of the documentation that are made from the code: ``python -m tests.docs --write``.

They stand in the pages between ``<!-- begin: NAME -->`` and ``<!-- end -->``. ``test_docs.py`` checks
that they are what the code says today; without ``--write`` it lists the stale pages, exit code 1.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from build_engines.__main__ import cli as build_cli
from edge.cli import cli
from edge.config import SettingKey, station_keys
from models.__main__ import cli as training_cli
from tests.figures import TABLES
from tests.picture import drawn

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_BLOCK = re.compile(r"(<!-- begin: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_WIDTH = 100


def commands() -> str:
    """A row for each command: what its help says first."""
    context = click.Context(cli)
    rows = []
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        rows.append(f"| `{name}` | {_cell(command.get_short_help_str(_WIDTH))} |")
    return "\n".join(["| command | what it does |", "|---|---|", *rows])


def command_help() -> str:
    """``--help`` of every command."""
    return _pages_of(cli, "anomalygpt-edge")


def build_help() -> str:
    """``--help`` of every step of building."""
    return _pages_of(build_cli, "python -m build_engines")


def training_help() -> str:
    """``--help`` of everything about training."""
    return _pages_of(training_cli, "python -m models")


def station_sections() -> str:
    """A row for each section of a station file: its keys with their defaults."""
    rows = []
    for key in station_keys():
        if "." in key.path:
            continue
        inside = [
            one for one in station_keys() if one.path.startswith(f"{key.path}.") and one.path.count(".") == 1
        ]
        names = ", ".join(_with_default(one) for one in inside if key.path != "camera")
        rows.append(f"| `{key.path}` | {_cell(key.sentence)} | {names or _with_default(key, bare=True)} |")
    return "\n".join(["| section | what for | keys (defaults) |", "|---|---|---|", *rows])


def station_file() -> str:
    """A row for each key of a station file."""
    rows = []
    for key in station_keys():
        bounds = f"{key.type}, {key.range}" if key.range else key.type
        kind = f" ({key.kind})" if key.kind else ""
        default = f"`{key.default}`" if key.default not in ("", "required") else key.default
        rows.append(f"| `{key.path}`{kind} | {_cell(bounds)} | {_cell(default)} | {_cell(key.sentence)} |")
    return "\n".join(["| key | values | default | what for |", "|---|---|---|---|", *rows])


MADE: dict[str, Callable[[], str]] = {
    "commands": commands,
    "command-help": command_help,
    "build-help": build_help,
    "training-help": training_help,
    "station-sections": station_sections,
    "station-file": station_file,
    **TABLES,
}


FILES: dict[Path, Callable[[], str]] = {ROOT / "docs" / "images" / "architecture.svg": drawn}
"""Whole files that are made from the code."""


def remade(text: str) -> str:
    """A page with its blocks made anew."""
    return _BLOCK.sub(lambda found: f"{found[1]}{MADE[found[2]]()}\n{found[3]}", text)


def _pages_of(group: click.Group, name: str) -> str:
    return "\n\n".join(
        f"### `{context.command_path}`\n\n```text\n{context.command.get_help(context)}\n```"
        for context in _contexts(group, name, None)
    )


def _contexts(command: click.Command, name: str, above: click.Context | None) -> Iterator[click.Context]:
    settings = {**command.context_settings, "terminal_width": _WIDTH}
    context = click.Context(command, info_name=name, parent=above, **settings)
    yield context
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from _contexts(found, inner, context)


def _with_default(key: SettingKey, *, bare: bool = False) -> str:
    default = key.default and f"({key.default})"
    return default.strip("()") if bare else f"`{key.path.rpartition('.')[2]}` {_cell(default)}".rstrip()


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.docs", description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the pages anew")
    write = parser.parse_args(arguments).write
    made = {page: remade(page.read_text()) for page in PAGES} | {file: make() for file, make in FILES.items()}
    stale = [page for page, text in made.items() if not page.is_file() or page.read_text() != text]
    for page in stale:
        if write:
            page.write_text(made[page])
        print(f"{page.relative_to(ROOT)}: {'written' if write else 'is not what the code says'}")
    return 1 if stale and not write else 0


if __name__ == "__main__":
    sys.exit(main())
