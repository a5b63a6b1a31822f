"""How fast, how much: throughput, and a day without a broker."""

from __future__ import annotations

import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge.messaging import AlarmCode, MessagingSettings, Publisher, payloads
from edge.messaging.outbox import Outbox
from edge.messaging.streams import OutboxEntry, Stream
from tests.edge.messaging.brokers import Mosquitto, Subscriber, wait_until
from tests.reliability.station import make_inspection

DAY_S = 86_400


def _is_born(station: Publisher) -> bool:
    return bool(station.status().link.birth)


def throughput(folder: Path, total: int) -> dict[str, Any]:
    """Events per second: paho alone, and through the outbox with every batch on the disk first."""
    with Mosquitto(folder / "broker") as broker:
        payload = payloads.encode(payloads.result(make_inspection(1, "top")))
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="alone", protocol=mqtt.MQTTv5)
        client.max_inflight_messages_set(32)
        done, acknowledged = threading.Event(), 0

        def count(*_: object) -> None:
            nonlocal acknowledged
            acknowledged += 1
            if acknowledged == total:
                done.set()

        client.on_publish = count
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        began = time.perf_counter()
        for _ in range(total):
            client.publish("alone/result", payload, qos=1)
        assert done.wait(300)
        alone = total / (time.perf_counter() - began)
        client.disconnect()
        client.loop_stop()
        rates = {}
        for batch in (1, 50):
            with Publisher(
                MessagingSettings(brokers=(broker.settings(),)), folder / f"data{batch}"
            ) as station:
                assert wait_until(partial(_is_born, station))
                began = time.perf_counter()
                for first in range(1, total + 1, batch):
                    station.publish_inspections([make_inspection(first + n, "top") for n in range(batch)])
                durable = total / (time.perf_counter() - began)
                assert station.flush(300)
                rates[batch] = (durable, total / (time.perf_counter() - began))
    return {
        "events": total,
        "paho alone, per second": round(alone),
        "outbox, one event per commit, durable per second": round(rates[1][0]),
        "outbox, one event per commit, delivered per second": round(rates[1][1]),
        "outbox, 50 events per commit, durable per second": round(rates[50][0]),
        "outbox, 50 events per commit, delivered per second": round(rates[50][1]),
    }


def day_without_broker(folder: Path, parts: int = DAY_S, *, seconds: int = DAY_S) -> dict[str, Any]:
    """A simulated day with nobody there, in the default bounds, minute by minute; then catching up.

    Args:
        parts: in this time, at a steady rate.
        seconds: of simulated time; a day, or a part of one.
    """
    path = folder / "data" / "outbox.db"
    now = 1_700_000_000.0
    outbox = Outbox(path, clock=lambda: now)
    minutes = seconds // 60
    for minute in range(minutes):
        now += 60
        made = range(parts * minute // minutes + 1, parts * (minute + 1) // minutes + 1)
        results = [
            OutboxEntry(Stream.RESULT, "plant/a/cell-3/result", payloads.result(make_inspection(seq, "top")))
            for seq in made
        ]
        # An alarm comes or is acknowledged every ten minutes.
        alarm = OutboxEntry(Stream.ALARM, "plant/a/cell-3/alarm", {"code": AlarmCode.CAMERA}, retain=True)
        outbox.commit([*results, *([alarm] if minute % 10 == 0 else [])])
    counts = outbox.counts()
    alarms = outbox.last_seq(Stream.ALARM)
    outbox.close()
    size_mb = sum(file.stat().st_size for file in path.parent.iterdir()) / 1e6
    with Mosquitto(folder / "broker") as broker, Subscriber(broker.port, "plant/a/cell-3/alarm") as plc:
        settings = MessagingSettings(site="plant", line="a", brokers=(broker.settings(),))
        began = time.perf_counter()
        with Publisher(settings, path.parent, station="cell-3") as station:
            assert wait_until(lambda: station.status().link.birth)
            assert wait_until(lambda: station.flush(60), 900)
            took_s = time.perf_counter() - began
        assert wait_until(lambda: len(set(plc.seqs("alarm"))) == alarms), "not every alarm arrived"
    return {
        "parts": parts,
        "simulated hours": seconds / 3600,
        "alarms raised, kept": (alarms, counts.rows[Stream.ALARM]),
        "results kept": counts.rows[Stream.RESULT],
        "dropped": sum(counts.dropped.values()),
        "on the disk, MB": round(size_mb, 1),
        "catch-up, s": round(took_s, 1),
        "catch-up, messages per second": round(counts.total_rows / took_s),
    }
