"""How long work tells the person who waits for it how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many of it are done, and of how many."""

StepBegun = Callable[[str], None]
"""Called with what begins now, for work whose steps are not counted."""
