"""Opening several cameras side by side."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from edge.errors import CameraError


class JointOpening:
    """Each camera is opened by the thread that then reads it: one that waited for the others would
    meanwhile lose what nobody reads.

    Args:
        cameras: how many.
    """

    def __init__(self, cameras: int) -> None:
        self._left = cameras
        self._refusal: CameraError | None = None
        self._changed = threading.Condition()

    @contextmanager
    def of_one(self) -> Iterator[None]:
        """Around the opening of one camera, in its thread."""
        try:
            yield
        except CameraError as error:
            self._refusal = error
            raise
        finally:
            with self._changed:
                self._left -= 1
                self._changed.notify_all()

    def wait(self) -> None:
        """Until every camera was opened or has refused.

        Raises:
            CameraError: one has refused.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._left == 0)
        if self._refusal is not None:
            raise self._refusal
