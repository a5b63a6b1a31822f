"""The errors that a user can act on: each has a code, a sentence and a remedy.

The command line prints them as one line and exits non-zero. On a station they become an
inspection with verdict ``error`` or a component's state, never silence.
"""

from __future__ import annotations

from typing import ClassVar


class EdgeError(Exception):
    """Base of every error this project raises on purpose.

    Args:
        message: what is wrong and where, as one sentence.
        remedy: what to do about it, as one sentence; empty where the message says it.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def __reduce__(self) -> tuple[type[EdgeError], tuple[str, str]]:
        # Errors cross process borders (the language worker); both arguments must survive.
        return type(self), (self.message, self.remedy)


class ConfigError(EdgeError):
    """A station file that cannot be used."""

    code = "config"


class BundleError(EdgeError):
    """A model bundle that is missing, damaged or does not fit."""

    code = "bundle"


class SourceError(EdgeError):
    """A model or data source that cannot be fetched or is not what it should be."""

    code = "source"


class EngineError(EdgeError):
    """A graph that cannot be compiled or run."""

    code = "engine"


class FrameError(EdgeError):
    """An image that cannot be inspected: unreadable, incomplete, too small, too large."""

    code = "frame"


class NoSinglePartError(FrameError):
    """There is no part in view, or more than one: nothing is wrong with the image itself."""


class CameraError(EdgeError):
    """A camera that cannot be opened, configured or read."""

    code = "camera"


class ProductError(EdgeError):
    """A product that is not enrolled, or references that cannot make one."""

    code = "product"


class DatasetError(EdgeError):
    """A folder that is not in the layout that a command expects."""

    code = "dataset"


class RecordsError(EdgeError):
    """The history of inspections cannot be read or written."""

    code = "records"


class MessagingError(EdgeError):
    """The broker, a topic or the outbox."""

    code = "messaging"


class LanguageError(EdgeError):
    """The language model or its worker."""

    code = "language"
