"""``python -m build_engines``: from a preset to a bundle that a station can load."""

from __future__ import annotations

import sys

import click

from build_engines.commands import ablate, accept, banks, budget, compile, sbom, steps
from build_engines.commands.fetch import fetch
from build_engines.commands.pin import pin
from build_engines.presets import preset_names
from edge.errors import EdgeError
from edge.tools import command_line


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"Presets: {', '.join(preset_names())}, or the path of a YAML file of the same form.",
)
def cli() -> None:
    """Build model bundles: fetch an encoder's weights, write the vision graph, check it, pack it.

    `build` runs all of these steps. Each step leaves its result in the cache, in one folder per preset, size
    and taps, so that it can be repeated.
    """


cli.add_command(fetch)
cli.add_command(pin)
for _step in (steps.export, steps.verify, steps.pack, steps.build):
    cli.add_command(_step)


cli.add_command(ablate.command)
cli.add_command(banks.command)
cli.add_command(budget.command)
cli.add_command(compile.command)
cli.add_command(accept.command)
cli.add_command(sbom.command)


def main() -> None:
    """Runs a command; an error is one line and exit code 1."""
    try:
        cli(prog_name=command_line("build_engines"), standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit("interrupted")
    except EdgeError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
