"""``python -m tests.edge.station.hanging_station KIND STATION.yaml``: a station that hangs or dies.

In its third part it hangs for good: ``native`` waits for ever in a C library, ``python`` in Python,
``frozen`` (after 60 parts) in a C library without giving the interpreter's lock away, so that no
other thread gets on. With ``dies`` every white image ends the process, as a decoder's fault does.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

import numpy as np
import numpy.typing as npt

from edge.cli import main
from edge.vision.inspector import Finding, Inspector


def hang(kind: str) -> None:
    if kind == "python":
        threading.Event().wait()
    mutex = ctypes.create_string_buffer(64)
    library = ctypes.PyDLL(None) if kind == "frozen" else ctypes.CDLL(None)
    for _ in range(2):  # the second time it waits for itself
        library.pthread_mutex_lock(mutex)


def install(kind: str, parts: int = 2) -> None:
    """So many parts are judged; the next one hangs."""
    inspect, seen = Inspector.inspect, [0]

    def hanging(self: Inspector, image: npt.NDArray[np.uint8]) -> Finding:
        seen[0] += 1
        if seen[0] > parts:
            hang(kind)
        return inspect(self, image)

    Inspector.inspect = hanging  # type: ignore[method-assign]


def install_death() -> None:
    """The process dies of a white image, without a word."""
    inspect = Inspector.inspect

    def dying(self: Inspector, image: npt.NDArray[np.uint8]) -> Finding:
        if image.min() == 255:
            os.kill(os.getpid(), signal.SIGSEGV)
        return inspect(self, image)

    Inspector.inspect = dying  # type: ignore[method-assign]


if __name__ == "__main__":
    # A frozen program publishes nothing: what it judged before must have had its time.
    if sys.argv[1] == "dies":
        install_death()
    else:
        install(sys.argv[1], 60 if sys.argv[1] == "frozen" else 2)
    main(["run", "--plain", *sys.argv[2:]])
