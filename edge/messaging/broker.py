"""A broker for the demo and for quick tests: real MQTT, on this computer only, nothing kept on disk.

For a line, use mosquitto with the files under ``configs/mosquitto``.
"""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import MessagingError
from edge.messaging.settings import BrokerSettings
from edge.tools import install

if TYPE_CHECKING:
    from iotcore import Broker

_LOOPBACK = "127.0.0.1"
_ATTEMPTS = 5

# rumqttd speaks one protocol version on a port.
_CONFIGURATION = """\
id = 0
[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 200
max_segment_size = 10485760
max_segment_count = 10
"""
_LISTENER = """\
[{version}.1]
name = "{version}"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[{version}.1.connections]
connection_timeout_ms = 5000
max_payload_size = 20480
max_inflight_count = 100
dynamic_filters = true
"""


class EmbeddedBroker:
    """A broker in a child process, on free ports of the loopback interface. A context manager.

    Example:
        >>> with EmbeddedBroker() as broker:
        ...     settings = MessagingSettings(brokers=(broker.settings(),))

    Raises:
        MessagingError: the extra ``demo`` is not installed, or the broker does not start.
    """

    host = _LOOPBACK

    def __init__(self) -> None:
        self.port = 0  #: MQTT 5
        self.port_v311 = 0  #: MQTT 3.1.1
        self._broker: Broker | None = None

    def settings(self, protocol: str = "5") -> BrokerSettings:
        """What a station's ``brokers`` holds to reach it."""
        return BrokerSettings(host=self.host, port=self.port if protocol == "5" else self.port_v311)

    def start(self) -> EmbeddedBroker:
        """Start it and wait until it listens."""
        try:
            from iotcore import Broker
        except ImportError as error:
            raise MessagingError(
                "The embedded broker is not installed.",
                f"{install('demo')}, or use a broker of your own.",
            ) from error
        failure: Exception | None = None
        for _ in range(_ATTEMPTS):  # another program may take a free port before the broker does
            self.port, self.port_v311 = _free_ports()
            text = _CONFIGURATION + "".join(
                _LISTENER.format(version=version, host=_LOOPBACK, port=port)
                for version, port in (("v5", self.port), ("v4", self.port_v311))
            )
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "broker.toml"
                path.write_text(text)
                broker = Broker(config_path=str(path))
                try:
                    broker.start()
                except (OSError, RuntimeError) as error:
                    failure = error
                    continue
            self._broker = broker
            return self
        raise MessagingError(f"The embedded broker cannot start: {failure}.", "Use a broker of your own.")

    def stop(self) -> None:
        """Stop it; calling twice is fine."""
        if self._broker is not None:
            self._broker.stop()
            self._broker = None

    def __enter__(self) -> EmbeddedBroker:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


def _free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        first.bind((_LOOPBACK, 0))
        second.bind((_LOOPBACK, 0))
        return first.getsockname()[1], second.getsockname()[1]
