"""The numbers that a PLC reads. A number once given keeps its meaning for ever."""

from __future__ import annotations

from enum import IntEnum


class StationState(IntEnum):
    """What the station is doing (``code`` in ``state`` and ``heartbeat``)."""

    OFFLINE = 0
    STARTING = 1
    RUNNING = 2
    PAUSED = 3
    FAULT = 4


class EventCode(IntEnum):
    """What happened (``code`` in ``event``)."""

    STARTED = 1
    STOPPED = 2
    PRODUCT_CHANGED = 3
    PAUSED = 4
    RESUMED = 5
    OVERRUN = 6
    CAMERA_LOST = 7
    CAMERA_BACK = 8
    STORAGE_FAULT = 9
    OUTBOX_DROPPED = 10
    OUTBOX_RESET = 11
    ENROLLED = 12
    MISSED_TRIGGER = 14
    COMPONENT_RESTARTED = 15
    WORDS = 16
    ENROLLMENT_HELD = 17
    RECORDS_RESET = 18
    EXPIRED = 19


class AlarmCode(IntEnum):
    """Why the line should be looked after (``code`` in ``alarm``), 1 to 31: each is a bit of ``mask``."""

    NG_SERIES = 1
    INSPECTION_ERROR = 2
    CAMERA = 3
    STORAGE = 4
    COMPONENT = 5
    PRODUCT = 6


class ReplyCode(IntEnum):
    """How a command ended (``code`` in ``cmd/reply``)."""

    DONE = 0
    ACCEPTED = 1
    REFUSED = 2
    EXPIRED = 3
    UNKNOWN = 4
    MALFORMED = 5
    FAILED = 6
