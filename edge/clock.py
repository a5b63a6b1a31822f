"""The station's own clock: ages and times to live that no step of the wall clock changes.

It goes on like the system's steady clock, and across restarts from where a small file says it stood.
The time that a computer is switched off is not counted, since only the wall clock could tell it, and
a computer without a clock of its own has no idea of it until the network tells the time.

The file also keeps how far the wall clock was ahead of this one when it was last believed. A wall clock
that has moved by more than :data:`BELIEVED_S` beside it has jumped: whoever deletes by dates then waits
until a person confirms the date.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from edge.whole_file import write_whole

log = logging.getLogger(__name__)

DAY_S = 86_400.0

#: So long a plant may be closed, or a clock be set, without a question.
BELIEVED_S = 14 * DAY_S

_FILE_NAME = "clock.json"
_CONFIRMED_NAME = "clock.confirmed"

#: The file is written so often; what a crash takes of the clock is never more.
_KEEP_PERIOD_S = 60.0

#: A person's confirmation is of the date that the computer shows, not of one that it has jumped to since.
_CONFIRMED_WITHIN_S = DAY_S


def _steady_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""  # no boot is like another: the clock goes on from what was kept


class StationClock:
    """The clock of one data folder. Thread-safe.

    Args:
        data_dir: where its file lies; it is made when the clock is first kept.
        wall: Unix time in seconds.
        steady: seconds, steady within a boot.
        boot: which boot this is.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = _steady_s,
        boot: Callable[[], str] = _boot_id,
    ) -> None:
        self._path = data_dir / _FILE_NAME
        self._confirmed = data_dir / _CONFIRMED_NAME
        self._wall = wall
        self._steady = steady
        self._boot = boot()
        self._lock = threading.Lock()
        self._start_steady_s = steady()
        self._start_s, self._believed_ahead_s = self._begin()
        self._kept_s = float("-inf")

    def now(self) -> float:
        """Seconds, never less than before: Unix time, until a clock is set or the computer is off."""
        return self._start_s + self._steady() - self._start_steady_s

    def jump_s(self) -> float:
        """How far the wall clock has jumped, in seconds; 0 where it has not, or a person confirmed it."""
        with self._lock:
            return self._jump_s()

    def keep(self, *, at_once: bool = False) -> None:
        """Write the file, where that is due. A disk that takes nothing costs this clock a restart's time."""
        with self._lock:
            self._jump_s()
            now = self.now()
            if not at_once and now - self._kept_s < _KEEP_PERIOD_S:
                return
            self._kept_s = now
            content = {
                "boot": self._boot,
                "steady_s": self._steady(),
                "station_s": now,
                "believed_ahead_s": self._believed_ahead_s,
            }
            try:
                _write(self._path, content)
            except OSError as error:
                log.debug("the station's clock cannot be kept: %s", error)

    def _begin(self) -> tuple[float, float]:
        kept = _read(self._path)
        try:
            station_s, steady_s = float(kept["station_s"]), float(kept["steady_s"])
            ahead_s = float(kept["believed_ahead_s"])
        except (KeyError, TypeError, ValueError):
            return self._wall(), 0.0
        same_boot = self._boot != "" and kept.get("boot") == self._boot
        return station_s + (max(0.0, self._start_steady_s - steady_s) if same_boot else 0.0), ahead_s

    def _jump_s(self) -> float:
        ahead_s = self._wall() - self.now()
        jump_s = ahead_s - self._believed_ahead_s
        if abs(jump_s) > BELIEVED_S and not self._is_confirmed():
            return jump_s
        self._believed_ahead_s = ahead_s
        return 0.0

    def _is_confirmed(self) -> bool:
        try:
            confirmed_s = float(_read(self._confirmed)["wall_s"])
        except (KeyError, TypeError, ValueError):
            return False
        with suppress(OSError):
            self._confirmed.unlink()
        return abs(self._wall() - confirmed_s) < _CONFIRMED_WITHIN_S


def confirm_date(data_dir: Path) -> None:
    """Say that the date of this computer is right; a station of this folder hears it, now or when it starts.

    Raises ``OSError`` where the folder cannot be written.
    """
    _write(data_dir / _CONFIRMED_NAME, {"wall_s": time.time()})


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(content) + "\n")
