"""Real brokers and clients for the tests: mosquitto with all it can do, and a PLC-like subscriber."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge.inspection import Inspection, Verdict
from edge.messaging.settings import BrokerSettings

if TYPE_CHECKING:
    from typing_extensions import Self

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], Any], timeout_s: float = 15.0) -> bool:
    """Whether the condition came true in time; tests assert on it and never on a wall time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


class Mosquitto:
    """A mosquitto that can be stopped, killed, frozen and started again on the same port."""

    def __init__(self, folder: Path, extra: str = "", *, anonymous: bool = True, port: int = 0) -> None:
        self.port = port or free_port()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "mosquitto.log"
        # Every change is saved, so that a subscriber's session survives SIGKILL; and a connected
        # subscriber is handed a message before its PUBACK, so that none of it is the broker's alone.
        (folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nuser root\npersistence true\npersistence_location {folder}/\n"
            "autosave_on_changes true\nautosave_interval 1\n"
            "max_queued_messages 1000000\nmax_inflight_messages 0\nlog_type all\n"
            f"allow_anonymous {'true' if anonymous else 'false'}\n{extra}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        assert MOSQUITTO is not None
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [MOSQUITTO, "-c", str(self.folder / "mosquitto.conf")], stdout=log, stderr=log
            )
        assert wait_until(self._listens), self.log.read_text()
        return self

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=0.5).close()
        except OSError:
            return False
        return True

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(10)
            self._process = None

    def settings(self, **more: Any) -> BrokerSettings:
        return BrokerSettings(host="127.0.0.1", port=self.port, **more)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.kill()


class Subscriber:
    """What a PLC does: MQTT 3.1.1, a session that the broker keeps, everything written down."""

    def __init__(
        self, port: int, filters: str = "#", *, client_id: str = "plc", login: tuple[str, str] | None = None
    ):
        self.messages: list[tuple[str, dict[str, Any], bool]] = []
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._filters = filters
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False, protocol=mqtt.MQTTv311
        )
        if login is not None:
            self.client.username_pw_set(*login)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *_: client.subscribe(self._filters, 1)
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_disconnect = lambda *_: self._ready.clear()
        self.client.on_message = self._write_down
        self._port = port

    def _write_down(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        del client, userdata
        assert len(message.payload) < 512
        with self._lock:
            self.messages.append((message.topic, json.loads(message.payload), message.retain))

    def __enter__(self) -> Self:
        self.client.connect("127.0.0.1", self._port, 10)
        self.client.loop_start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def wait_ready(self) -> None:
        """Wait until it is connected (again): only then does a broker's death not take its queue along."""
        assert self._ready.wait(15)

    def of(self, name: str) -> list[dict[str, Any]]:
        """The payloads of one topic, by its last level."""
        with self._lock:
            return [payload for topic, payload, _ in self.messages if topic.endswith("/" + name)]

    def seqs(self, name: str = "result") -> list[int]:
        """Sequence numbers in the order of arrival, repeats included."""
        return [payload["seq"] for payload in self.of(name)]

    def seqs_without_repeats(self, name: str = "result") -> list[int]:
        """What a consumer keeps that drops every number not above the last one."""
        kept: list[int] = []
        for seq in self.seqs(name):
            if not kept or seq > kept[-1]:
                kept.append(seq)
        return kept


def inspection(seq: int, verdict: Verdict = Verdict.OK, **more: Any) -> Inspection:
    fields: dict[str, Any] = {
        "id": f"01J{seq:023d}",
        "seq": seq,
        "station": "cell-3",
        "product": "bottle",
        "part_id": f"part-{seq}",
        "camera": "top",
        "captured_at": "2026-01-02T03:04:05.678Z",
        "verdict": verdict,
    }
    return Inspection(**{**fields, **more})
