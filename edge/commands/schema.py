"""``schema``: what a station file may hold."""

from __future__ import annotations

import json
import shutil
import textwrap
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edge.config import SettingKey

_WIDEST = 100
_INDENT = "    "


@click.command(name="schema")
@click.argument("key", required=False, metavar="[KEY]")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the whole JSON Schema, for editors and programs."
)
def command(key: str | None, as_json: bool) -> None:
    """Show the keys of a station file: types, ranges, defaults.

    With KEY, such as `queue` or `messaging.outbox`, shows only this key and those below it. The text in
    brackets is the default, or `required`.

    \b
    Examples:
      anomalygpt-edge schema camera
      anomalygpt-edge schema --json > station.schema.json
    """
    if as_json and key is not None:
        raise click.UsageError("--json prints the whole schema: leave KEY out.")
    from edge.config import json_schema, keys_below, station_keys

    if as_json:
        click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
        return
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    keys = station_keys() if key is None else keys_below(key)
    click.echo("\n".join(_shown(one, width) for one in keys))


def _shown(key: SettingKey, width: int) -> str:
    kind = f"(kind: {key.kind})" if key.kind else ""
    bounds = f"{key.type}, {key.range}" if key.range else key.type
    default = f"[{key.default}]" if key.default and not key.default.startswith("[") else key.default
    head = "  ".join(word for word in (key.path, kind, bounds, default) if word)
    sentence = textwrap.fill(key.sentence, width, initial_indent=_INDENT, subsequent_indent=_INDENT)
    return f"{head}\n{sentence}"
