"""Where things live: what a station must keep, and what can be fetched or made again.

Kept: products, records and the outbox, under :func:`data_dir`. Replaceable: downloads, wheels and
bundles, under :func:`cache_dir`. Nothing is created here; whoever writes a file makes its folder.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

APPLICATION = "anomalygpt-edge"
DATA_VARIABLE = "ANOMALYGPT_EDGE_DATA"
CACHE_VARIABLE = "ANOMALYGPT_EDGE_CACHE"


def data_dir(configured: Path | None = None) -> Path:
    """The folder of products, records and the outbox, as an absolute path.

    The station file's ``data_dir`` where there is one, else ``$ANOMALYGPT_EDGE_DATA``, else the
    user's data folder.
    """
    if configured is not None:
        return absolute(configured)
    return _from_environment(DATA_VARIABLE) or platformdirs.user_data_path(APPLICATION, appauthor=False)


def cache_dir() -> Path:
    """The folder of downloads, wheels and bundles, as an absolute path.

    ``$ANOMALYGPT_EDGE_CACHE`` where it is set, else ``.cache/`` in a checkout of the source, else
    the user's cache folder.
    """
    from_environment = _from_environment(CACHE_VARIABLE)
    if from_environment is not None:
        return from_environment
    root = checkout()
    if root is not None:
        return root / ".cache"
    return platformdirs.user_cache_path(APPLICATION, appauthor=False)


def checkout() -> Path | None:
    """The root of the source tree that this package runs from, or None when it is installed."""
    root = Path(__file__).resolve().parent.parent
    return root if (root / "setup.py").is_file() and (root / "pyproject.toml").is_file() else None


def keep_from_others() -> None:
    """What this process and its children write from now on: files 0640, folders 0750, or stricter."""
    os.umask(os.umask(0o077) | 0o027)


def absolute(path: Path, base: Path | None = None) -> Path:
    """``path`` with ``~`` expanded and, where it is relative, seen from ``base`` (default: here)."""
    # Not resolve(): a link that a person put in a path is what that person wants to read in messages.
    return Path(os.path.abspath((base or Path.cwd()) / path.expanduser()))  # noqa: PTH100


def _from_environment(variable: str) -> Path | None:
    value = os.environ.get(variable, "")
    return absolute(Path(value)) if value else None
