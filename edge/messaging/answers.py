"""What was answered to the latest commands, in the outbox's file: a repeat is not done again."""

from __future__ import annotations

import sqlite3

from edge.messaging.commands import AnsweredCommand


class Answers:
    """By command id, the oldest first; all in memory too, so that no dead disk makes one forgotten.

    Args:
        db: with the outbox's tables, without implicit transactions.
        room: so many are kept.
    """

    def __init__(self, db: sqlite3.Connection, room: int) -> None:
        self._db = db
        self._room = room
        rows = db.execute("SELECT id, asked, answer, number FROM command ORDER BY number").fetchall()
        self._known = {str(row[0]): AnsweredCommand(row[1], row[2]) for row in rows}
        self._number = rows[-1][3] if rows else 0

    def recall(self, command_id: str) -> AnsweredCommand | None:
        """What was answered to a command; None for one never seen."""
        return self._known.get(command_id)

    def write(self, command_id: str, answered: AnsweredCommand) -> None:
        """Put it into the file, and let the oldest of many go; within a transaction of the caller's."""
        self._number += 1
        self._db.execute(
            "INSERT OR REPLACE INTO command(id, number, answer, asked) VALUES (?,?,?,?)",
            (command_id, self._number, answered.answer, answered.asked),
        )
        self._db.execute("DELETE FROM command WHERE number<=?", (self._number - self._room,))

    def note(self, command_id: str, answered: AnsweredCommand) -> None:
        """It is in the file."""
        self._known.pop(command_id, None)
        self._known[command_id] = answered
        while len(self._known) > self._room:
            del self._known[next(iter(self._known))]

    def items(self) -> list[tuple[str, AnsweredCommand]]:
        """All of them, the oldest first."""
        return list(self._known.items())
