"""The proof that verdicts are published: an ordinary MQTT client that hears every one of them."""

from __future__ import annotations

import json
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from edge.errors import MessagingError

if TYPE_CHECKING:
    from paho.mqtt.client import Client

_SUBSCRIBE_TIMEOUT_S = 10.0
_POLL_S = 0.05


class Subscriber:
    """Listens to one station's results as a PLC would. A context manager.

    Attributes:
        verdicts: ``seq`` to the verdict that arrived, for every message so far.

    Raises:
        MessagingError: the broker does not answer.
    """

    def __init__(self, host: str, port: int, topic: str) -> None:
        self.verdicts: dict[int, str] = {}
        self._host, self._port, self._topic = host, port, topic
        self._subscribed = threading.Event()
        self._client: Client | None = None

    def __enter__(self) -> Subscriber:
        from paho.mqtt.client import Client, MQTTv5
        from paho.mqtt.enums import CallbackAPIVersion

        client = Client(CallbackAPIVersion.VERSION2, client_id="demo-subscriber", protocol=MQTTv5)
        client.on_connect = self._on_connect
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_message = self._on_message
        client.connect(self._host, self._port)
        client.loop_start()
        self._client = client
        if not self._subscribed.wait(_SUBSCRIBE_TIMEOUT_S):
            self._close()
            raise MessagingError(f"The broker at {self._host}:{self._port} takes no subscription.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def wait_for(self, seqs: set[int], timeout_s: float) -> set[int]:
        """Those of ``seqs`` that have not arrived within this time."""
        deadline = time.monotonic() + timeout_s
        while (missing := seqs - self.verdicts.keys()) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return missing

    def _on_connect(self, client: Client, *_: Any) -> None:
        client.subscribe(self._topic, qos=1)

    def _on_message(self, client: Client, userdata: object, message: Any) -> None:
        del client, userdata
        result = json.loads(message.payload)
        self.verdicts[result["seq"]] = result["verdict"]

    def _close(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
