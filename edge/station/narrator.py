"""The narrator: puts parts into words after their verdict is out, beside the inspection path."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from edge.choices import WhichParts
from edge.errors import LanguageError
from edge.inspection import Inspection, Verdict

if TYPE_CHECKING:
    from edge.station.deciding import Decider
    from edge.station.judging import Judged


log = logging.getLogger(__name__)

#: Dialogues that are not waiting for words: the part that is judged, and the one that is put into words.
_IN_USE = 2


class Narrator:
    """Asks for a sentence about each part that gets one, one after the other.

    A dialogue takes room in the language model, so that few parts can wait; one more goes without
    words, as does a part whose worker ended meanwhile. Verdicts never wait.

    Args:
        decider: made the verdicts; None: the calibrated score does, and there are no words.
        words: which parts get a sentence.
        tell: takes the inspection with its words, in the narrator's thread.
    """

    def __init__(
        self, decider: Decider | None, words: WhichParts, tell: Callable[[Inspection], None]
    ) -> None:
        self._decider = decider
        self._words = words
        self._tell = tell
        self._room = 0 if decider is None else max(1, decider.worker.limits.dialogues - _IN_USE)
        self._waiting: deque[tuple[Inspection, int]] = deque()
        self._finished = False
        self._changed = threading.Condition()

    def offer(self, judged: Judged) -> None:
        """Hand over a part that has its verdict; never waits."""
        if self._decider is None or judged.dialogue is None:
            return
        with self._changed:
            taken = self._wants(judged.inspection) and len(self._waiting) < self._room
            if taken:
                self._waiting.append((judged.inspection, judged.dialogue))
                self._changed.notify()
        if not taken:
            self._decider.release(judged.dialogue)

    def finish(self) -> None:
        """Nothing comes after this; :meth:`run` returns when what waits has its words."""
        with self._changed:
            self._finished = True
            self._changed.notify()

    def run(self) -> None:
        """Write sentences until :meth:`finish`; for a thread of its own."""
        while (part := self._take()) is not None and self._decider is not None:
            inspection, dialogue = part
            try:
                words = self._decider.sentence(dialogue)
            except LanguageError as error:
                log.debug("part %s has no words: %s", inspection.part_id, error)
            except Exception:
                # Whatever it is: a part without words is no reason to inspect no other.
                log.exception("part %s has no words", inspection.part_id)
            else:
                self._tell(dataclasses.replace(inspection, words=words))
            self._decider.release(dialogue)

    def _take(self) -> tuple[Inspection, int] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._finished)
            return self._waiting.popleft() if self._waiting else None

    def _wants(self, inspection: Inspection) -> bool:
        return self._words == "all" or (self._words == "ng" and inspection.verdict is Verdict.NG)
