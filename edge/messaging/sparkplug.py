"""The station as a Sparkplug B edge node, beside its plain topics: births, deaths, live data.

Topics ``spBv1.0/<group>/<type>/<station>[/<device>]``. Sparkplug shows the present: its data is
published live and not kept while the broker is away; the record is ``result`` through the outbox.
It has a connection of its own, because a node's death is its last will, and the station has one
already.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from datetime import datetime

from edge.errors import MessagingError
from edge.inspection import Inspection
from edge.messaging.client import Birth, BrokerSession, Client
from edge.messaging.payloads import clean
from edge.messaging.settings import MessagingSettings
from edge.messaging.sparkplug_codec import DataType, Metric, Payload, Value, decode, encode
from edge.messaging.status import LinkStatus

log = logging.getLogger(__name__)

_REBIRTH = "Node Control/Rebirth"

#: The device's metrics: name, type, and the value before the first inspection.
_METRICS: tuple[tuple[str, DataType, Value], ...] = (
    ("Inspection/Sequence", DataType.UINT64, 0),
    ("Inspection/Code", DataType.INT32, 0),
    ("Inspection/Verdict", DataType.STRING, ""),
    ("Inspection/Review", DataType.BOOLEAN, False),
    ("Inspection/Part", DataType.STRING, ""),
    ("Inspection/Product", DataType.STRING, ""),
    ("Inspection/P Anomaly", DataType.DOUBLE, None),
    ("Inspection/Score", DataType.DOUBLE, None),
    ("Inspection/Location", DataType.STRING, ""),
    ("Inspection/Words", DataType.STRING, ""),
    ("Inspection/Error", DataType.STRING, ""),
    ("Inspection/Captured", DataType.DATETIME, None),
    ("Counters/Total", DataType.UINT64, 0),
    ("Counters/OK", DataType.UINT64, 0),
    ("Counters/NG", DataType.UINT64, 0),
    ("Counters/Error", DataType.UINT64, 0),
    ("Alarms/Active", DataType.INT64, 0),
    ("Alarms/Unacknowledged", DataType.INT64, 0),
)
_TYPES = {name: data_type for name, data_type, _ in _METRICS}


class SparkplugNode:
    """One edge node with one device. Its calls may come from any thread and never wait.

    Args:
        settings: the ``messaging`` section; its brokers are used.
        node: the edge node's id, the station's name.
        client_id: unique among the broker's clients, and not the station's other one.
    """

    def __init__(self, settings: MessagingSettings, *, node: str, client_id: str) -> None:
        group = settings.sparkplug.group or f"{settings.site}-{settings.line}"
        self._base = f"spBv1.0/{group}"
        self._node = node
        self._device = settings.sparkplug.device
        self._client = Client(
            settings.model_copy(update={"session_expiry_s": 0}),
            client_id=client_id,
            subscriptions=[self._topic("NCMD")],
            prepare=self._prepare,
            listener=self,
        )
        self._lock = threading.Lock()  # one message after the other, so that seq has no gap
        self._session: BrokerSession | None = None
        self._bd_seq = -1
        self._seq = 0
        self._values: dict[str, Value] = {name: value for name, _, value in _METRICS}

    @property
    def status(self) -> LinkStatus:
        """Of the node's own connection."""
        return self._client.status

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._client.start()

    def stop(self) -> None:
        """Publish the death, as Sparkplug asks of an orderly end, and disconnect."""
        with self._lock:
            if self._session is not None:
                self._session.publish(self._topic("NDEATH"), self._death(), qos=1)
                self._session = None
        self._client.stop()

    def inspection(self, one: Inspection, totals: Mapping[str, int]) -> None:
        """Show a part's verdict and the counters."""
        self._show(
            {
                "Inspection/Sequence": one.seq,
                "Inspection/Code": one.code,
                "Inspection/Verdict": one.verdict.value,
                "Inspection/Review": one.review,
                "Inspection/Part": one.part_id,
                "Inspection/Product": one.product,
                "Inspection/P Anomaly": one.p_anomaly,
                "Inspection/Score": one.score,
                "Inspection/Location": one.location,
                "Inspection/Words": one.words,
                "Inspection/Error": one.error,
                "Inspection/Captured": _unix_ms(one.captured_at),
                "Counters/Total": totals["total"],
                "Counters/OK": totals["ok"],
                "Counters/NG": totals["ng"],
                "Counters/Error": totals["error"],
            }
        )

    def alarms(self, mask: int, unacked: int) -> None:
        """Show which alarms stand."""
        self._show({"Alarms/Active": mask, "Alarms/Unacknowledged": unacked})

    def _show(self, values: Mapping[str, Value]) -> None:
        """Publish what changed."""
        with self._lock:
            plain = {
                name: clean(value) if isinstance(value, str) else value for name, value in values.items()
            }
            changed = {name: value for name, value in plain.items() if self._values[name] != value}
            self._values.update(changed)
            if changed:
                self._send("DDATA", changed, device=True)

    # -- the connection's listener ---------------------------------------------------------------

    def link_up(self, session: BrokerSession) -> None:
        """Connected: the births come first."""
        with self._lock:
            self._session = session
            self._be_born()

    def link_down(self, session: BrokerSession) -> None:
        """The broker publishes the death."""
        with self._lock:
            if session is self._session:
                self._session = None

    def received(self, session: BrokerSession, topic: str, payload: bytes, retained: bool) -> None:
        """A command; the one that there is asks for the births again."""
        del session, retained
        if topic != self._topic("NCMD"):
            return
        try:
            metrics = decode(payload).metrics
        except MessagingError as error:
            log.warning("Sparkplug: a command cannot be read: %s", error)
            return
        if any(metric.name == _REBIRTH and metric.value is True for metric in metrics):
            with self._lock:
                self._be_born()

    def acknowledged(self, session: BrokerSession, mid: int, refusal: str) -> None:
        """Nothing waits for it."""

    def subscribed(self, session: BrokerSession, refusals: dict[str, str]) -> None:
        """A refused subscription leaves the node without rebirths, and is said so."""
        del session
        for topic, reason in refusals.items():
            log.warning("Sparkplug: the broker forbids %s: %s", topic, reason)

    # -- messages --------------------------------------------------------------------------------

    def _prepare(self) -> Birth:
        self._bd_seq = (self._bd_seq + 1) % 256
        return Birth(self._bd_seq, self._topic("NDEATH"), self._death(), retain=False)

    def _death(self) -> bytes:
        return encode(Payload(_now_ms(), (Metric("bdSeq", DataType.INT64, self._bd_seq),)))

    def _be_born(self) -> None:
        self._seq = 0
        node = (
            Metric("bdSeq", DataType.INT64, self._bd_seq),
            Metric(_REBIRTH, DataType.BOOLEAN, False),
        )
        self._publish("NBIRTH", node, device=False)
        self._send("DBIRTH", self._values, device=True)

    def _send(self, kind: str, values: Mapping[str, Value], *, device: bool) -> None:
        now = _now_ms()
        metrics = tuple(Metric(name, _TYPES[name], value, now) for name, value in values.items())
        self._publish(kind, metrics, device=device)

    def _publish(self, kind: str, metrics: tuple[Metric, ...], *, device: bool) -> None:
        if self._session is not None:
            payload = encode(Payload(_now_ms(), metrics, self._seq))
            self._session.publish(self._topic(kind, device=device), payload, qos=0)
            self._seq = (self._seq + 1) % 256

    def _topic(self, kind: str, *, device: bool = False) -> str:
        topic = f"{self._base}/{kind}/{self._node}"
        return f"{topic}/{self._device}" if device else topic


def _unix_ms(timestamp: str) -> int | None:
    try:
        return int(datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp() * 1000)
    except ValueError:
        return None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
