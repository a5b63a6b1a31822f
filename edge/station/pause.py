"""Pause and resume: the line goes on, the station does not inspect, and every part is an error."""

from __future__ import annotations

import queue
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.messaging import CommandRefusedError

if TYPE_CHECKING:
    from edge.messaging import Command

_ERROR = "Not inspected: the station is paused. Send cmd/resume to continue."


@dataclass(frozen=True, slots=True)
class _PauseRequest:
    command: Command
    done: Future[str]


class Pause:
    """Whether parts are inspected; changes between two parts. A station begins without a pause.

    Attributes:
        error: what a part of the pause is told; empty where parts are inspected.
    """

    def __init__(self) -> None:
        self.error = ""
        self._wishes: queue.SimpleQueue[_PauseRequest] = queue.SimpleQueue()

    def ask(self, command: Command) -> Future[str]:
        """``cmd/pause`` or ``cmd/resume``: done from the next part on."""
        wish = _PauseRequest(command, Future())
        self._wishes.put(wish)
        return wish.done

    def apply(self) -> bool:
        """Do what was asked for; the inspector's thread, between two parts. True where it changed."""
        before = self.error
        while not self._wishes.empty():
            wish = self._wishes.get()
            if wish.command.expired():
                late = CommandRefusedError("The command expired before the previous part was finished.")
                wish.done.set_exception(late)
                continue
            paused = wish.command.name == "pause"
            self.error = _ERROR if paused else ""
            wish.done.set_result(
                "Paused: starting with the next part, every part is an error."
                if paused
                else "Inspection resumes with the next part."
            )
        return self.error != before
