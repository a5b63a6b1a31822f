"""The parts of every scenario: a broker as shipped, a consumer that writes down, a station process."""

from __future__ import annotations

import contextlib
import json
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge.messaging.certificates import issue
from tests.edge.messaging.brokers import wait_until
from tests.edge.messaging.test_tls import SECRET, Shipped
from tests.reliability.faults import BROKER_ADDRESS, Cable


@dataclass
class Figures:
    """What one scenario showed."""

    scenario: str
    sent: int
    received: int
    lost: int
    repeats: int
    out_of_order: int
    events: int
    events_lost: int
    dropped: int
    faults: int
    seconds: float
    notes: str = ""


class Consumer:
    """A PLC-like consumer: MQTT 3.1.1, TLS, a session that the broker keeps."""

    def __init__(self, port: int, ca: Path) -> None:
        self.numbers: dict[str, list[int]] = {"result": [], "event": []}
        self._lock = threading.Lock()
        self._port, self._ca = port, ca
        self.ready = threading.Event()
        self.come()

    def come(self) -> None:
        """Connect, under the same name each time; the broker sends what came meanwhile."""
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="plc", clean_session=False, protocol=mqtt.MQTTv311
        )
        self.client.username_pw_set("plc", SECRET)
        self.client.tls_set_context(ssl.create_default_context(cafile=str(self._ca)))
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *_: client.subscribe("plant/a/cell-3/+", 1)
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.on_disconnect = lambda *_: self.ready.clear()
        self.client.on_message = self._write_down
        self.client.connect("127.0.0.1", self._port, 10)
        self.client.loop_start()
        assert self.ready.wait(10)

    def _write_down(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        del client, userdata
        name = message.topic.rsplit("/", 1)[1]
        if name in self.numbers:
            with self._lock:
                self.numbers[name].append(json.loads(message.payload)["seq"])

    def count(self, name: str = "result") -> int:
        """Different numbers so far."""
        with self._lock:
            return len(set(self.numbers[name]))

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def kept(numbers: Sequence[int]) -> list[int]:
    """What is left when every number not above the last one is dropped, as a consumer does."""
    left: list[int] = []
    for number in numbers:
        if not left or number > left[-1]:
            left.append(number)
    return left


class Bench:
    """One scenario's broker, consumer and station, in a folder of its own.

    Args:
        total: results that the station makes.
        rate: of them, per second.
        saves_changes: whether the broker saves every change: SIGKILL then takes nothing along that
            it has acknowledged. Slow where much waits in it.
    """

    def __init__(self, folder: Path, total: int, rate: float, *, saves_changes: bool = True) -> None:
        self.folder, self.total, self.rate = folder, total, rate
        self.pki = folder / "pki"
        issue(self.pki, "broker", ["localhost", "127.0.0.1", BROKER_ADDRESS])
        # As shipped, but handing everything to a connected consumer at once.
        saves = 1 if saves_changes else 100
        self.broker = Shipped(
            folder / "broker",
            self.pki,
            **{"autosave_interval 100": f"autosave_interval {saves}\nmax_inflight_messages 0"},
        )
        self.data = folder / "data"
        self.host = "127.0.0.1"
        self.prefix: list[str] = []  # of the station's command line, such as `ip netns exec NAME`
        self.durable = 0
        self.dropped = 0
        self.complaints = 0
        self.faults = 0
        self.began = time.monotonic()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[Bench]:
        """Broker and consumer are there; all is ended at the end."""
        try:
            with self.broker:
                self.consumer = Consumer(self.broker.port, self.pki / "ca.crt")
                self.began = time.monotonic()
                yield self
                self.consumer.close()
        finally:
            self.kill_station()

    def listen_on(self, cable: Cable) -> None:
        """Have the broker listen at its end of a cable too; stations then run at the other end."""
        configuration = self.broker.folder / "mosquitto.conf"
        text = configuration.read_text()
        here = f"listener {self.broker.port} 127.0.0.1\n"
        listener = text[text.index(here) : text.index("tls_version")] + "tls_version tlsv1.2\n"
        configuration.write_text(text + "\n" + listener.replace("127.0.0.1", BROKER_ADDRESS))
        self.broker.kill(signal.SIGTERM)
        self.broker.start()
        assert self.consumer.ready.wait(20)
        self.host, self.prefix = BROKER_ADDRESS, cable.prefix

    def start_station(self) -> None:
        command = [
            *(*self.prefix, sys.executable, "-m", "tests.reliability.station", str(self.data), self.host),
            *(str(self.broker.port), str(self.pki / "ca.crt"), str(self.broker.folder / "secret")),
            *("--last", str(self.total), "--rate", str(self.rate)),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "durable":
                self.durable = int(rest)
            elif word == "dropped":
                self.dropped = int(rest)
            elif word == "lost":
                self.complaints += 1

    @property
    def station_pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def station_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def kill_station(self) -> None:
        if self._process is not None and self._reader is not None:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            assert self._process.stdout is not None
            self._process.stdout.close()

    def wait_durable(self, seq: int, timeout_s: float = 600) -> None:
        assert wait_until(lambda: self.durable >= seq or self.station_ended, timeout_s)

    def finish(self, scenario: str, notes: str = "", timeout_s: float = 600) -> Figures:
        """Wait until the station has ended by itself and everything arrived; count."""
        assert wait_until(lambda: self.station_ended, timeout_s), "the station did not end"
        wait_until(lambda: self.consumer.count() >= self.total - self.dropped, 20)
        results, events = self.consumer.numbers["result"], self.consumer.numbers["event"]
        in_order, all_events = kept(results), set(events)
        last_event = max(all_events, default=0)
        return Figures(
            scenario=scenario,
            sent=self.total,
            received=len(set(results)),
            # What was given up by rule and counted is not lost; of it, some may have arrived before.
            lost=max(0, self.total - len(set(results)) - self.dropped),
            repeats=len(results) - len(set(results)),
            out_of_order=len(set(results)) - len(in_order),
            events=len(all_events),
            events_lost=last_event - len(all_events),
            dropped=self.dropped,
            faults=self.faults,
            seconds=round(time.monotonic() - self.began, 1),
            notes=notes,
        )
