"""MQTT for the station: verdicts, events and alarms out, commands in, nothing lost on the way.

paho, SQLite and the embedded broker are imported when they are used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edge.messaging.codes import AlarmCode, EventCode, ReplyCode, StationState
from edge.messaging.status import LinkState, LinkStatus
from edge.messaging.topics import Topics, check_level, suggest_level

if TYPE_CHECKING:
    from edge.messaging.broker import EmbeddedBroker
    from edge.messaging.client import Birth, BrokerSession, Client
    from edge.messaging.commands import Command, CommandRefusedError
    from edge.messaging.publisher import Publisher
    from edge.messaging.reading import fields_of, readable
    from edge.messaging.settings import BrokerSettings, MessagingSettings, TlsSettings
    from edge.messaging.watcher import Message, TopicView, Watcher

__all__ = [
    "AlarmCode",
    "Birth",
    "BrokerSession",
    "BrokerSettings",
    "Client",
    "Command",
    "CommandRefusedError",
    "EmbeddedBroker",
    "EventCode",
    "LinkState",
    "LinkStatus",
    "Message",
    "MessagingSettings",
    "Publisher",
    "ReplyCode",
    "StationState",
    "TlsSettings",
    "TopicView",
    "Topics",
    "Watcher",
    "certificates",
    "check_level",
    "fields_of",
    "payloads",
    "readable",
    "suggest_level",
]

_LAZY = {
    "Birth": "client",
    "BrokerSession": "client",
    "BrokerSettings": "settings",
    "Client": "client",
    "Command": "commands",
    "CommandRefusedError": "commands",
    "EmbeddedBroker": "broker",
    "Message": "watcher",
    "MessagingSettings": "settings",
    "Publisher": "publisher",
    "TlsSettings": "settings",
    "TopicView": "watcher",
    "Watcher": "watcher",
    "fields_of": "reading",
    "readable": "reading",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"edge.messaging.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
