"""The proof that verdicts are published: an ordinary MQTT client that hears every one, as a PLC would."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ulid import ULID

from edge.errors import MessagingError
from edge.messaging import ReplyCode

if TYPE_CHECKING:
    from paho.mqtt.client import Client

_SUBSCRIBE_TIMEOUT_S = 10.0
_POLL_S = 0.05
_REPLY_TIMEOUT_S = 5.0
_ACCEPTED, _DONE = int(ReplyCode.ACCEPTED), int(ReplyCode.DONE)


class Subscriber:
    """Listens to one station's results as a PLC would, and triggers it. A context manager.

    Args:
        topic: of the results; the commands' lie beside it.

    Attributes:
        verdicts: ``seq`` to the verdict that arrived, for every message so far.

    Raises:
        MessagingError: the broker does not answer.
    """

    def __init__(self, host: str, port: int, topic: str) -> None:
        self.verdicts: dict[int, str] = {}
        self._parts: set[str] = set()
        self._replies: dict[str, int] = {}  # a command's id to the code of its last reply
        self._commands = f"{topic.removesuffix('result')}cmd"
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
            raise MessagingError(f"The broker at {self._host}:{self._port} does not accept subscriptions.")
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

    def wait_for_part(self, part_id: str, timeout_s: float) -> bool:
        """Whether the part's verdict arrives within this time."""
        return self._wait_until(lambda: part_id in self._parts, timeout_s)

    def trigger(self, part_id: str) -> bool:
        """Have an image of this part taken; false where the station cannot now."""
        assert self._client is not None
        command_id = str(ULID())
        expires = int((time.time() + _REPLY_TIMEOUT_S) * 1000)
        command = {"id": command_id, "part_id": part_id, "expires": expires}
        self._client.publish(f"{self._commands}/trigger", json.dumps(command), qos=1)
        self._wait_until(lambda: self._replies.get(command_id, _ACCEPTED) != _ACCEPTED, _REPLY_TIMEOUT_S)
        return self._replies.get(command_id) == _DONE

    @staticmethod
    def _wait_until(happened: Callable[[], bool], timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while not happened():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def _on_connect(self, client: Client, *_: Any) -> None:
        client.subscribe([(self._topic, 1), (f"{self._commands}/reply", 1)])

    def _on_message(self, client: Client, userdata: object, message: Any) -> None:
        del client, userdata
        content = json.loads(message.payload)
        if message.topic == self._topic:
            self.verdicts[content["seq"]] = content["verdict"]
            self._parts.add(content["part_id"])
        else:
            self._replies[content["id"]] = content["code"]

    def _close(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
