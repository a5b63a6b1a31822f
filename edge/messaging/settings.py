"""The ``messaging:`` section of a station file: brokers, names, security, limits.

Without the section, or without a broker in it, nothing is published and nothing fails.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from edge.errors import MessagingError
from edge.messaging.topics import check_level
from edge.section import Section

DAY_S = 86_400.0

CommandName = Literal["trigger", "product", "ack", "pause", "resume", "enroll", "result_ack"]

#: A name, also one of other scripts, an IPv4 or an IPv6 address, which may name its interface.
_HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[\w.-]+)?")


def _topic_level(value: str, info: ValidationInfo) -> str:
    try:
        return check_level(value, info.field_name or "name")
    except MessagingError as error:
        raise ValueError(str(error)) from None


class TlsSettings(Section):
    """How a connection is encrypted and who is trusted."""

    ca: Path | None = Field(
        default=None,
        title="CA file",
        description="PEM file of the authority that signed the broker's certificate; default: the system's.",
    )
    certificate: Path | None = Field(
        default=None,
        title="Client certificate",
        description="PEM file that identifies the station to the broker.",
    )
    key: Path | None = Field(
        default=None, title="Client key", description="PEM file of the client certificate's private key."
    )
    minimum_version: Literal["1.2", "1.3"] = Field(
        default="1.2", title="Lowest TLS version", description="A broker that offers less is refused."
    )

    @model_validator(mode="after")
    def _key_needs_certificate(self) -> TlsSettings:
        if self.key is not None and self.certificate is None:
            raise ValueError("a client key is given without its certificate; add 'certificate'")
        return self


class BrokerSettings(Section):
    """One MQTT broker. The password is never written here: a file or a variable holds it."""

    host: Annotated[str, Field(min_length=1, max_length=253)] = Field(
        title="Host", description="Name or address of the broker."
    )
    port: int | None = Field(
        default=None, ge=1, le=65535, title="Port", description="Default 8883 with TLS, 1883 without."
    )
    tls: TlsSettings | None = Field(
        default=None,
        title="TLS",
        description="If present, the connection is encrypted. 'tls: {}' trusts the system's authorities.",
    )
    username: str | None = Field(
        default=None, min_length=1, title="User name", description="Account at the broker."
    )
    password_file: Path | None = Field(
        default=None, title="Password file", description="File whose first line is the password."
    )
    password_env: str | None = Field(
        default=None,
        min_length=1,
        title="Password variable",
        description="Environment variable that holds the password.",
    )

    @field_validator("host")
    @classmethod
    def _host_alone(cls, value: str) -> str:
        if not _HOST.fullmatch(value):
            raise ValueError(
                "must be a name or an address alone; scheme, port, user and password have keys of their own "
                "('tls', 'port', 'username', 'password_file')"
            )
        return value

    @model_validator(mode="after")
    def _credentials_fit(self) -> BrokerSettings:
        if self.password_file is not None and self.password_env is not None:
            raise ValueError("give 'password_file' or 'password_env', not both")
        if self.username is None and (self.password_file is not None or self.password_env is not None):
            raise ValueError("a password is given without 'username'")
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, with the protocol's default port filled in."""
        return self.host, self.port if self.port is not None else (8883 if self.tls is not None else 1883)

    def __str__(self) -> str:
        host, port = self.address
        return f"{host}:{port}"


class OutboxSettings(Section):
    """Limits of the queue on disk. Results go before events; alarms only when the disk is full."""

    max_rows: int = Field(
        default=200_000,
        ge=100,
        title="Messages kept",
        description="Above this, the oldest results are dropped first.",
    )
    max_mb: float = Field(
        default=256.0,
        gt=0,
        title="Megabytes kept",
        description="Above this, the oldest results are dropped first.",
    )
    result_ttl_s: float = Field(
        default=7 * DAY_S,
        gt=0,
        title="Life of a result",
        description="Results older than this are dropped, not sent.",
    )
    event_ttl_s: float = Field(
        default=30 * DAY_S,
        gt=0,
        title="Life of an event",
        description="Events older than this are dropped, not sent.",
    )
    window: int = Field(
        default=32,
        ge=1,
        le=1000,
        title="Messages under way",
        description="The most messages sent and not yet acknowledged at any time.",
    )


class AlarmSettings(Section):
    """When the station raises an alarm by itself. An alarm stands until it is acknowledged."""

    ng_count: int = Field(
        default=3, ge=0, title="Ng parts", description="This many ng parts raise an alarm; 0: never."
    )
    ng_window: int = Field(
        default=10, ge=1, title="Parts looked at", description="Among this many of the latest parts."
    )
    on_error: bool = Field(
        default=True,
        title="Alarm on error",
        description="Whether any part that could not be inspected raises an alarm.",
    )

    @model_validator(mode="after")
    def _count_fits(self) -> AlarmSettings:
        if self.ng_count > self.ng_window:
            raise ValueError("'ng_count' is more than 'ng_window'; the alarm could never come")
        return self


class HandshakeSettings(Section):
    """The handshake with a PLC that triggers every part and takes every result."""

    enabled: bool = Field(
        default=False,
        title="Handshake",
        description="Whether each trigger waits for ready and each result for result_ack.",
    )
    result_timeout_s: float = Field(
        default=10.0, gt=0, title="Result timeout", description="A result that takes longer is an error."
    )


class SparkplugSettings(Section):
    """The station as a Sparkplug B edge node, beside its plain topics."""

    enabled: bool = Field(
        default=False, title="Sparkplug B", description="Whether the station is also an edge node."
    )
    group: str = Field(default="", title="Group id", description="Empty: made from site and line.")
    device: str = Field(default="inspection", title="Device id", description="Name of the node's one device.")

    @field_validator("group", "device")
    @classmethod
    def _is_topic_level(cls, value: str, info: ValidationInfo) -> str:
        return "" if value == "" and info.field_name == "group" else _topic_level(value, info)


class MessagingSettings(Section):
    """Where verdicts, events and alarms are published, and under which names."""

    site: str = Field(default="site", title="Site", description="First level of every topic.")
    line: str = Field(default="line", title="Line", description="Second level of every topic.")
    station: str = Field(
        default="", title="Station", description="Third level of every topic; empty: the station's own name."
    )
    brokers: tuple[BrokerSettings, ...] = Field(
        default=(), title="Brokers", description="Tried in this order; none: nothing is published."
    )
    protocol: Literal["5", "3.1.1"] = Field(
        default="5",
        title="MQTT version",
        description="5 gives reasons for refusals; 3.1.1 is for older brokers.",
    )
    client_id: str = Field(
        default="",
        max_length=23,
        pattern=r"^[0-9A-Za-z_.-]*$",
        title="Client id",
        description="Empty: made from the topic names. Two clients with the same id disconnect each other.",
    )
    keepalive_s: int = Field(
        default=10,
        ge=2,
        le=600,
        title="Keep-alive",
        description="A connection that is silent for 1.5 times this long is closed.",
    )
    connect_timeout_s: float = Field(
        default=5.0,
        gt=0,
        le=60,
        title="Connect timeout",
        description="For TCP, TLS and the broker's answer, each.",
    )
    ack_timeout_s: float = Field(
        default=2.5,
        gt=0,
        le=600,
        title="Acknowledgment timeout",
        description="After this long without an acknowledgment, the station changes to the next broker, or "
        "reconnects.",
    )
    retry_min_s: float = Field(
        default=0.5,
        gt=0,
        title="First retry",
        description="Pause before the first new attempt; doubled after each one.",
    )
    retry_max_s: float = Field(
        default=30.0,
        gt=0,
        title="Longest retry",
        description="The pauses grow up to this, with random jitter.",
    )
    session_expiry_s: int = Field(
        default=0,
        ge=0,
        le=0xFFFFFFFE,
        title="Session expiry",
        description="How long the broker keeps commands for an absent station; 0: not at all. Commands need "
        "'expires' if this is not 0.",
    )
    commands: tuple[CommandName, ...] = Field(
        default=("trigger", "product", "ack", "pause", "resume", "result_ack"),
        title="Commands",
        description="The commands that the station accepts from the broker. enroll is not among "
        "them by default: "
        "whoever may send it decides what a good part is.",
    )
    heartbeat_s: float = Field(
        default=1.0, gt=0, title="Heartbeat", description="Shortest time between two heartbeats."
    )
    alarms: AlarmSettings = Field(
        default=AlarmSettings(), title="Alarms", description="When verdicts raise an alarm."
    )
    handshake: HandshakeSettings = Field(
        default=HandshakeSettings(), title="Handshake", description="For a PLC that triggers every part."
    )
    sparkplug: SparkplugSettings = Field(
        default=SparkplugSettings(), title="Sparkplug B", description="For SCADA systems that speak it."
    )
    outbox: OutboxSettings = Field(
        default=OutboxSettings(), title="Outbox", description="Limits of the queue on disk."
    )

    @field_validator("site", "line", "station")
    @classmethod
    def _is_topic_level(cls, value: str, info: ValidationInfo) -> str:
        return "" if value == "" and info.field_name == "station" else _topic_level(value, info)

    @model_validator(mode="after")
    def _retries_fit(self) -> MessagingSettings:
        if self.retry_max_s < self.retry_min_s:
            raise ValueError("'retry_max_s' is less than 'retry_min_s'")
        return self

    @property
    def enabled(self) -> bool:
        """Whether anything is published at all."""
        return bool(self.brokers)

    def resolved(self, folder: Path) -> MessagingSettings:
        """The same settings with relative file names taken from ``folder`` (the station file's)."""

        def absolute(path: Path | None) -> Path | None:
            return None if path is None else folder / path.expanduser()

        brokers = []
        for broker in self.brokers:
            update: dict[str, object] = {"password_file": absolute(broker.password_file)}
            if broker.tls is not None:
                files = {name: absolute(getattr(broker.tls, name)) for name in ("ca", "certificate", "key")}
                update["tls"] = broker.tls.model_copy(update=files)
            brokers.append(broker.model_copy(update=update))
        return self.model_copy(update={"brokers": tuple(brokers)})
