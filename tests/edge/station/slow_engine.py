"""An engine that stops in the middle of a part, as a driver does that never answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import pytest

from edge.vision.inspector import Finding, Inspector


class Hold:
    """Holds up the inspection of an image while it is closed.

    Attributes:
        entered: set while a part waits in the engine.
    """

    def __init__(self) -> None:
        self.entered = threading.Event()
        self._open = threading.Event()
        self._open.set()

    def close(self) -> None:
        """The next part hangs in the engine."""
        self._open.clear()

    def open(self) -> None:
        """It goes on."""
        self._open.set()

    def wait(self) -> None:
        self.entered.set()
        self._open.wait(60)
        self.entered.clear()


@contextmanager
def held_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hold]:
    """The real inspector, with a hold before it."""
    hold, inspect = Hold(), Inspector.inspect

    def held(self: Inspector, image: npt.NDArray[np.uint8]) -> Finding:
        hold.wait()
        return inspect(self, image)

    monkeypatch.setattr(Inspector, "inspect", held)
    try:
        yield hold
    finally:
        hold.open()
