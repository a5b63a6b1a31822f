"""``pin``: a preset with its commit and hashes filled in."""

from __future__ import annotations

import click
import yaml

from build_engines.presets import load_preset
from build_engines.sources import HubSource
from edge.errors import SourceError


@click.command()
@click.argument("preset")
@click.option(
    "--revision", metavar="REV", help="Branch, tag, commit or refs/pr/N.  [default: the preset's, else main]"
)
def pin(preset: str, revision: str | None) -> None:
    """Print PRESET with the commit, hashes and sizes that the Hugging Face hub currently gives for its files.

    For presets that leave them open, and for your own encoder: write its repository and file names into a
    copy of a preset, with null for revision, sha256 and bytes. Compare the output with the repository's page;
    from then on exactly these files are used.

    \b
      python -m build_engines pin clip-vit-b16 > my-clip.yaml
      python -m build_engines build my-clip.yaml
    """
    from build_engines.sources.hub_pins import pinned

    loaded = load_preset(preset)
    if not isinstance(loaded.source, HubSource):
        raise SourceError(f"Preset {loaded.name} takes nothing from the hub, so there is nothing to pin.")
    made = loaded.model_copy(update={"source": pinned(loaded.source, revision)})
    content = made.model_dump(mode="json", exclude_defaults=True)
    click.echo(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110), nl=False)
