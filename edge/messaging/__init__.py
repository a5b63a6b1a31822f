"""MQTT for the station: verdicts, events and alarms out, commands in, nothing lost on the way.

Others use what is named here. paho, SQLite and the embedded broker are imported when they are used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edge.messaging.codes import AlarmCode, EventCode, ReplyCode, StationState
from edge.messaging.status import LinkState, LinkStatus, MessagingStatus
from edge.messaging.topics import Topics

if TYPE_CHECKING:
    from edge.messaging.broker import EmbeddedBroker
    from edge.messaging.publisher import Publisher
    from edge.messaging.settings import BrokerSettings, MessagingSettings, TlsSettings

__all__ = [
    "AlarmCode",
    "BrokerSettings",
    "EmbeddedBroker",
    "EventCode",
    "LinkState",
    "LinkStatus",
    "MessagingSettings",
    "MessagingStatus",
    "Publisher",
    "ReplyCode",
    "StationState",
    "TlsSettings",
    "Topics",
]

_LAZY = {
    "BrokerSettings": "settings",
    "EmbeddedBroker": "broker",
    "MessagingSettings": "settings",
    "Publisher": "publisher",
    "TlsSettings": "settings",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"edge.messaging.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
