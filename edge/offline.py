"""Whether this machine may ask a network for anything: it may not where a variable says so."""

from __future__ import annotations

import os

OFFLINE_VARIABLE = "ANOMALYGPT_EDGE_OFFLINE"

_YES = frozenset({"1", "true", "yes", "on"})


def offline_by(*others: str) -> str | None:
    """The environment variable that forbids the network, or None where none does.

    Args:
        others: variables that count beside ``$ANOMALYGPT_EDGE_OFFLINE``, such as a library's own.
    """
    asked = (OFFLINE_VARIABLE, *others)
    return next((name for name in asked if os.environ.get(name, "").strip().lower() in _YES), None)
