"""How the station's components are: logged once when one breaks and once when it is back."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from enum import Enum

log = logging.getLogger(__name__)


class Level(str, Enum):
    """How well a component does its work."""

    OK = "ok"
    DEGRADED = "degraded"
    FAULT = "fault"


_SEVERITY = {Level.OK: 0, Level.DEGRADED: 1, Level.FAULT: 2}


@dataclass(frozen=True, slots=True)
class Condition:
    """A component's level and, where that is not ok, what is wrong and what to do."""

    level: Level = Level.OK
    detail: str = ""


class Health:
    """The conditions of all components; any thread may set and read them.

    Components: ``camera``, ``engine``, ``inspector``, ``part_ids``, ``parity``, ``language``, ``line``,
    ``records``, ``outbox``, ``broker``. One that nobody has spoken of is ok.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._conditions: dict[str, Condition] = {}

    def set(self, component: str, level: Level, detail: str = "", *, logged: bool = False) -> bool:
        """Note a component's condition; true where its level changed.

        Args:
            logged: the component has said it in the log itself, in its own words.
        """
        with self._lock:
            before = self._conditions.get(component, Condition())
            self._conditions[component] = Condition(level, detail)
        if before.level is level:
            return False
        if logged:
            return True
        if level is Level.OK:
            log.info("%s: ok again", component)
        else:
            log.warning("%s: %s: %s", component, level.value, detail)
        return True

    def conditions(self) -> dict[str, Condition]:
        """Every component that was spoken of."""
        with self._lock:
            return dict(self._conditions)

    @property
    def level(self) -> Level:
        """The worst level of all components."""
        conditions = self.conditions().values()
        return max((condition.level for condition in conditions), key=_SEVERITY.__getitem__, default=Level.OK)

    def __str__(self) -> str:
        """What is wrong, the worst first; empty where nothing is."""
        wrong = [(name, c) for name, c in self.conditions().items() if c.level is not Level.OK]
        wrong.sort(key=lambda item: -_SEVERITY[item[1].level])
        return "; ".join(f"{c.level.value}: {name}: {c.detail}" for name, c in wrong)
