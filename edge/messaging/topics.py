"""Topic names ``<site>/<line>/<station>/…``, safe for every broker and every PLC.

A level is plain ASCII: letters, digits, ``_``, ``-`` and ``.``. Spaces and other characters are
legal MQTT, but PLC libraries, ACL files and Sparkplug tools trip over them, and mapping them in
silence would let two stations meet on one topic. So they are refused, with a name that works.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from edge.errors import MessagingError

#: Characters of one level. Three levels and the longest suffix stay under the 255 characters that
#: Beckhoff's TF6701 takes for a will topic.
MAX_LEVEL_CHARS = 64

_LEVEL = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_TRANSLITERATED = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "ø": "o", "Ø": "O"}
)


def suggest_level(text: str) -> str:
    """A valid level that resembles ``text``; ``unnamed`` where nothing can be kept."""
    ascii_text = (
        unicodedata.normalize("NFKD", text[: 8 * MAX_LEVEL_CHARS].translate(_TRANSLITERATED))
        .encode("ascii", "ignore")
        .decode()
    )
    level = re.sub(r"[^A-Za-z0-9_.-]+", "_", ascii_text).strip("_.")[:MAX_LEVEL_CHARS]
    return level or "unnamed"


def check_level(text: str, what: str = "name") -> str:
    """Return ``text`` if it can be one level of a topic.

    Args:
        text: the level.
        what: how the error names it (``site``, ``line``, ``station``).

    Raises:
        MessagingError: empty, too long, or with characters that a topic level here may not have.
    """
    if len(text) <= MAX_LEVEL_CHARS and _LEVEL.fullmatch(text):
        return text
    shown = text if len(text) <= 40 else text[:40] + "…"
    raise MessagingError(
        f"The {what} {shown!r} cannot be part of a topic: 1 to {MAX_LEVEL_CHARS} characters "
        "out of A-Z a-z 0-9 _ - . and no dot at the start are allowed.",
        f"Write for example {suggest_level(text)!r}.",
    )


@dataclass(frozen=True)
class Topics:
    """Every topic of one station.

    Raises:
        MessagingError: a name that cannot be a topic level.
    """

    site: str
    line: str
    station: str

    def __post_init__(self) -> None:
        for what in ("site", "line", "station"):
            check_level(getattr(self, what), what)

    @property
    def prefix(self) -> str:
        """``<site>/<line>/<station>``, without a slash at the end."""
        return f"{self.site}/{self.line}/{self.station}"

    @property
    def state(self) -> str:
        """Retained: what the station is doing; also its last will."""
        return f"{self.prefix}/state"

    @property
    def result(self) -> str:
        """One message for every inspection."""
        return f"{self.prefix}/result"

    @property
    def event(self) -> str:
        """What happened at the station besides inspections."""
        return f"{self.prefix}/event"

    @property
    def alarm(self) -> str:
        """Retained: the latest change of an alarm."""
        return f"{self.prefix}/alarm"

    @property
    def heartbeat(self) -> str:
        """A counter once a second while the station lives."""
        return f"{self.prefix}/heartbeat"

    @property
    def handshake(self) -> str:
        """Retained: the signals of the handshake, where it is used."""
        return f"{self.prefix}/handshake"

    @property
    def commands(self) -> str:
        """The filter that receives every command."""
        return f"{self.prefix}/cmd/#"

    def command(self, name: str) -> str:
        """The topic of one command, such as ``trigger``."""
        return f"{self.prefix}/cmd/{check_level(name, 'command')}"

    def command_name(self, topic: str) -> str | None:
        """The command that a topic under ``cmd/`` names; None for the reply topic and foreign topics."""
        head = f"{self.prefix}/cmd/"
        if not topic.startswith(head) or topic == self.reply:
            return None
        return topic[len(head) :]

    @property
    def reply(self) -> str:
        """The station's answers to commands."""
        return f"{self.prefix}/cmd/reply"
