"""The seal of a wheel that was built here: its sha256 in a file beside it, as ``sha256sum --check`` reads it.

A wheel waits in the cache for months, travels on sticks, and runs as a station's own code. Before it is
installed it must be what was built.
"""

from __future__ import annotations

from pathlib import Path

from edge.bounded import read_regular
from edge.errors import SourceError
from edge.fetch import sha256_of
from edge.whole_file import write_whole

_MOST_BYTES = 1000


def seal_of(wheel: Path) -> Path:
    """Where the seal of a wheel lies."""
    return wheel.with_name(f"{wheel.name}.sha256")


def seal_wheel(wheel: Path) -> None:
    """Writes the seal, whole or not at all."""
    write_whole(seal_of(wheel), f"{sha256_of(wheel)}  {wheel.name}\n")


def checked_url(wheel: Path) -> str:
    """The wheel as an address with its hash, so that pip installs these very bytes or nothing.

    Raises:
        SourceError: the wheel is not what was sealed, or has no seal.
    """
    try:
        sealed = read_regular(seal_of(wheel), _MOST_BYTES).decode("utf-8", "replace").partition(" ")[0]
        found = sha256_of(wheel)
    except OSError as error:
        raise SourceError(
            f"The wheel {wheel} cannot be checked: {error.strerror or error} ({seal_of(wheel).name}).",
            _remedy(wheel),
        ) from error
    if found != sealed:
        raise SourceError(
            f"The wheel {wheel} has changed since it was built: it has sha256 {found[:8]}…, "
            f"{seal_of(wheel).name} "
            f"says {sealed[:8]}….",
            _remedy(wheel),
        )
    return f"{wheel.absolute().as_uri()}#sha256={sealed}"


def _remedy(wheel: Path) -> str:
    return f"Remove {wheel.parent}, and it is built again; or copy that folder anew."
