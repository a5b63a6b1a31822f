"""No library that we use reports to its maker: a station calls nobody.

Some send an identifier, the machine and what was called to their makers as soon as they are imported, and
keep that identifier under the home folder. Each has its own way to be told not to, which counts only
before its first import. :mod:`edge`, and every package beside it, calls :func:`forbid` before anything else.
"""

from __future__ import annotations

import os
import sys

VARIABLES = {
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime, since 1.29 also on Linux.
    "DO_NOT_TRACK": "1",  # The Hugging Face hub's library, and whatever else keeps to consoledonottrack.com.
}
"""For this process and, since they are inherited, for all that it starts."""

SENDERS = ("openvino_telemetry",)
"""Packages that do nothing but send. OpenVINO and NNCF go without where theirs cannot be imported; it has
no variable to be told by."""


def forbid() -> None:
    """Keeps the libraries that are imported from now on from reporting; may be called twice."""
    os.environ.update(VARIABLES)
    for name in SENDERS:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's own mark for what is not to be found.
