"""TensorRT itself: whether it is here, what differs between its versions, and what it has to say."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from edge.errors import EngineError

if TYPE_CHECKING:
    import tensorrt as trt

OLDEST = (10, 3)
"""JetPack 6.1's; what is called here exists in it and in 11.x."""

_INSTALL = (
    "On a Jetson it comes with JetPack: make the environment with --system-site-packages. "
    "Elsewhere: pip install tensorrt"
)


def load_tensorrt() -> Any:
    """The module ``tensorrt``.

    Raises:
        EngineError: it is not installed, cannot be imported, or is older than ``OLDEST``.
    """
    try:
        found = importlib.import_module("tensorrt")
    except ImportError as error:
        raise EngineError(f"TensorRT cannot be imported: {error}.", _INSTALL) from error
    if version_of(found) < OLDEST:
        raise EngineError(
            f"TensorRT {found.__version__} is too old; {OLDEST[0]}.{OLDEST[1]} is the oldest supported "
            f"version.",
            "Update it: JetPack 6.1 and later have it.",
        )
    return found


def version_of(tensorrt: Any) -> tuple[int, int]:
    """(major, minor) of the module."""
    major, minor = str(tensorrt.__version__).split(".")[:2]
    return int(major), int(minor)


def network_flags(tensorrt: Any) -> int:
    """What a network is made with, so that the types of the ONNX file are those that are computed.

    From 11 on there is no other kind; before, a network is weakly typed unless it is said.
    """
    if version_of(tensorrt)[0] != 10:
        return 0
    return 1 << int(tensorrt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)


def message_log(tensorrt: Any) -> Any:
    """A logger that keeps TensorRT's warnings and errors in its list ``messages``, the newest last."""

    class Messages(tensorrt.ILogger):  # type: ignore[misc]  # the module is known at run time only
        def __init__(self) -> None:
            tensorrt.ILogger.__init__(self)
            self.messages: list[str] = []

        def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
            if severity in (tensorrt.ILogger.INTERNAL_ERROR, tensorrt.ILogger.ERROR):
                self.messages.append(msg.strip())

    return Messages()


def last_words(log: Any) -> str:
    """The first of the errors that the log holds, on one line: the later ones follow from it."""
    if not log.messages:
        return "it gives no reason"
    return " ".join(str(log.messages[0]).split())
