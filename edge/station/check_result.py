"""What ``doctor`` says of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class CheckStatus(str, Enum):
    """How one thing is."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was looked at.

    Attributes:
        what: its name, such as ``bundle``.
        detail: what was found.
        remedy: what to do, where it is not ok.
    """

    what: str
    mark: CheckStatus
    detail: str
    remedy: str = ""
